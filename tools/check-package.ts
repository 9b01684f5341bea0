/** Packs the package as npm would publish it, and checks the tarball with publint and attw. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-package-"));
try {
  const [packed] = JSON.parse(run("npm", "pack", "--json", "--pack-destination", folder)) as {
    filename: string;
    files: { path: string; mode: number }[];
  }[];
  if (!packed) {
    throw new Error("npm pack made no tarball");
  }
  const tarball = join(folder, packed.filename);
  const unwanted = packed.files.filter(({ path }) => /\.(test|lua|tsbuildinfo)/.test(path));
  if (unwanted.length > 0) {
    throw new Error(`not meant for users: ${unwanted.map(({ path }) => path).join(", ")}`);
  }
  const program = packed.files.find(({ path }) => path === "dist/cli/holdfast.js");
  if (program === undefined || (program.mode & 0o111) === 0) {
    throw new Error("the program holdfast is not in the package, or cannot be executed");
  }
  console.log(run("npx", "publint", "run", tarball, "--strict"));
  console.log(run("npx", "attw", tarball, "--profile", "esm-only"));
} finally {
  rmSync(folder, { recursive: true });
}
