// @ts-check

/** How often each job was seen, by its number; numbers begin at 0. A byte a job: millions go by in a run. */
export class JobCounts {
  #times = new Uint8Array(1_024);
  #size = 0;

  /** @param {unknown} data of a job, as the producers of the bench make it */
  add(data) {
    const { n } = /** @type {{ n: number }} */ (data);
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new Error(`a job came without its number: ${JSON.stringify(data)}`);
    }
    if (n >= this.#times.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(n + 1)));
      larger.set(this.#times);
      this.#times = larger;
    }
    this.#times[n] = Math.min(255, (this.#times[n] ?? 0) + 1);
    this.#size = Math.max(this.#size, n + 1);
  }

  /** One count for each number up to the highest that was seen. */
  get all() {
    return this.#times.slice(0, this.#size);
  }
}
