import { spawn } from "node:child_process";
import { entryFile } from "../../../lib/entry.ts";
import { socketPath } from "../../../lib/socket-path.ts";

/** Where the primary of a directory takes orders. */
export function controlSocket(directory: string): string {
  return socketPath(directory, "edge.sock");
}

/** What runs the edge of `directory`. Run twice, the second one ends at once. */
export function primaryCommand(directory: string, workers: number): string[] {
  return [process.execPath, entryFile(import.meta.url, "./primary.ts"), directory, String(workers)];
}

/** Starts the edge without anyone to keep it up, outliving this process. For tests, benches and trials. */
export async function launchDetached(command: readonly string[]): Promise<void> {
  const [program = "", ...args] = command;
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, { detached: true, stdio: "ignore" });
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
    child.once("error", reject);
  });
}
