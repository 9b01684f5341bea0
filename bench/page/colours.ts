/** One colour a peer on the whole page; they differ for people who see few colours, too. */
const fixed: Readonly<Record<string, string>> = {
  holdfast: "#0b5fa5",
  bullmq: "#cf4257",
  "bee-queue": "#d99a00",
  floor: "#8c959f",
};
const spare = ["#6f42c1", "#1b7f79", "#5c6b1f"];

export function colourOf(peer: string, peers: readonly string[]): string {
  const others = peers.filter((name) => !(name in fixed));
  return fixed[peer] ?? spare[others.indexOf(peer) % spare.length] ?? "#57606a";
}
