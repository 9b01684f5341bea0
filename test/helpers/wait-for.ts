const intervalMs = 5;

/** Resolves once the condition holds; rejects if it does not within `timeoutMs`. For what gives no signal. */
export async function waitFor(
  condition: () => Promise<boolean> | boolean,
  { timeoutMs = 30_000, what = condition.toString() } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`within ${timeoutMs} ms this did not come true: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
