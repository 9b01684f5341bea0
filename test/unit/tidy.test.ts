/** The rules of the house that a program can check. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const sourceFolder = join(root, "src");

function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => ending.test(file) && !file.includes("node_modules"))
    .map((file) => join(root, folder, file));
}

const handWritten = ["src", "test", "tools", "bench", "examples"]
  .flatMap((folder) => filesBelow(folder, /\.(ts|mjs|lua)$/))
  .filter((file) => !file.endsWith("generated.ts"));
const sources = handWritten.filter((file) => file.startsWith(sourceFolder) && file.endsWith(".ts"));

/** A file may import its own room and those after it, down to the model. */
const ROOMS = ["cli", "index", "core", "engine", "store", "scripts+telemetry", "model"] as const;

function roomOf(file: string): number {
  const path = relative(sourceFolder, file);
  const room = path.startsWith("core/engine/")
    ? "engine"
    : path.startsWith("core/store/")
      ? "store"
      : path.startsWith("core/model/")
        ? "model"
        : path.startsWith("core/")
          ? "core"
          : path.startsWith("scripts/") || path.startsWith("telemetry/")
            ? "scripts+telemetry"
            : path.startsWith("cli/")
              ? "cli"
              : "index";
  return ROOMS.indexOf(room);
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
}

function importsOf(file: string): { specifier: string; isTypeOnly: boolean }[] {
  return parse(file).statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) {
      return [];
    }
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) {
      return [];
    }
    const isTypeOnly = ts.isImportDeclaration(statement)
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    return [{ specifier: moduleSpecifier.text, isTypeOnly }];
  });
}

function functionLengths(file: string): { name: string; lines: number }[] {
  const source = parse(file);
  const found: { name: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      found.push({ name: node.name?.getText() ?? "a function", lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const name = (file: string) => relative(root, file);

describe("imports go one way", () => {
  test.each(sources.map((file) => [name(file), file]))("%s", (_, file) => {
    for (const { specifier } of importsOf(file).filter(({ specifier: s }) => s.startsWith("."))) {
      const target = join(file, "..", specifier);
      expect(roomOf(target), `${name(file)} imports ${specifier}`).toBeGreaterThanOrEqual(
        roomOf(file),
      );
    }
  });
});

describe("each thing has its room", () => {
  test("only the store knows Redis", () => {
    const offenders = sources.filter((file) =>
      importsOf(file).some(({ specifier, isTypeOnly }) => specifier === "ioredis" && !isTypeOnly),
    );
    expect(offenders.map(name)).toEqual(["src/core/store/connection.ts"]);
  });

  test("only the clock reads the time or starts a timer", () => {
    const pattern = /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate)\b/;
    const offenders = sources.filter((file) => pattern.test(readFileSync(file, "utf8")));
    expect(offenders.map(name)).toEqual(["src/core/model/clock.ts"]);
  });

  test("the scripts and the public surface are left by explicit names", () => {
    const offenders = sources.filter((file) => /export \*/.test(readFileSync(file, "utf8")));
    expect(offenders.map(name)).toEqual([]);
  });
});

describe("sizes", () => {
  test.each(handWritten.map((file) => [name(file), file]))("%s", (_, file) => {
    const lines = readFileSync(file, "utf8").split("\n").length - 1;
    expect(lines, "lines in the file").toBeLessThanOrEqual(300);
    if (file.startsWith(sourceFolder) && file.endsWith(".ts")) {
      const long = functionLengths(file).filter((found) => found.lines > 70);
      expect(long).toEqual([]);
    }
  });
});

test("nothing is left to do in the code", () => {
  const marks = ["TODO", "FIXME", "XXX"];
  const offenders = handWritten.filter(
    (file) =>
      file !== import.meta.filename &&
      marks.some((mark) => readFileSync(file, "utf8").includes(mark)),
  );
  expect(offenders.map(name)).toEqual([]);
});
