#!/usr/bin/env node
/** The program `holdfast`: one command so far. */
import { doctor } from "./doctor/doctor.ts";

const USAGE = `Usage: holdfast <command>

  doctor   looks at a Redis and the queues on it, and says what endangers jobs

holdfast <command> --help tells more.`;

const { argv, env, stdout, stderr } = process;
const [command, ...args] = argv.slice(2);
if (command === "doctor") {
  process.exitCode = await doctor(args, {
    env,
    hasColours: stdout.isTTY && !env["NO_COLOR"],
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
  });
} else {
  const asksForHelp = command === "--help" || command === "-h";
  (asksForHelp ? stdout : stderr).write(`${USAGE}\n`);
  process.exitCode = asksForHelp ? 0 : 2;
}
