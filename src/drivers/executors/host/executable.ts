import { accessSync, constants, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { StepJob } from "../../../ports/executor.ts";

/** Why the system would refuse a command; null: it would not. Inside a fence it is a tool that is refused, with an exit code of its own. */
export function whyNotExecutable({
  command,
  directory,
  env,
}: Pick<StepJob, "command" | "directory" | "env">): string | null {
  const [program = ""] = command;
  const isPath = program.includes("/");
  const places = isPath ? [dirname(program)] : (env.PATH ?? "/usr/bin:/bin").split(":");
  const name = isPath ? program.slice(program.lastIndexOf("/") + 1) : program;
  const found = places.map((place) => join(isAbsolute(place) ? place : resolve(directory, place), name)).filter(isFile);
  if (found.length === 0) return `command not found: ${program}${isPath ? "" : ` on PATH (${env.PATH ?? ""})`}`;
  return found.some(isExecutable) ? null : `not allowed to execute ${program}`;
}

/** What may not be looked at is passed over, as the search for a program does. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
