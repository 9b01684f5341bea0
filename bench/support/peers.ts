export async function ensurePeers(_print: (line: string) => void): Promise<void> {}
