import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { remoteCommand } from "./ssh/quote.ts";

export type Size = { readonly columns: number; readonly rows: number };

/** Sets the size before the program looks at it, then becomes the program. */
const sized = 'stty rows "$1" columns "$2" 2>/dev/null; shift 2; exec "$@"';

/**
 * A command on a terminal of its own, which `script` of util-linux makes: Node cannot, and the packages that can bring compiled code.
 * What is written to the child's input is typed, what it prints is the screen; it ends with the command's exit code.
 */
export function spawnOnTerminal(
  command: readonly string[],
  { size, cwd, env }: { readonly size: Size; readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): ChildProcess {
  // Nobody but the command may hear Ctrl-C: the shell that `script` starts becomes it.
  const inner = `exec ${remoteCommand(["sh", "-c", sized, "sh", `${size.rows}`, `${size.columns}`, ...command])}`;
  return spawn("script", ["--quiet", "--return", "--command", inner, "/dev/null"], {
    cwd,
    env: { ...env, SHELL: "/bin/sh" },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Its programs are told (SIGWINCH). Does nothing when it has ended. */
export async function resizeTerminal(child: ChildProcess, { rows, columns }: Size): Promise<void> {
  const terminal = terminalOf(child.pid ?? 0);
  if (terminal === null) return;
  const args = ["-F", terminal, "rows", `${rows}`, "columns", `${columns}`];
  await new Promise<void>((resolve) => {
    spawn("stty", args, { stdio: "ignore" })
      .once("close", () => resolve())
      .once("error", () => resolve());
  });
}

function terminalOf(pid: number): string | null {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const terminal = readlinkSync(`/proc/${child}/fd/0`);
    return terminal.startsWith("/dev/pts/") ? terminal : null;
  } catch {
    return null;
  }
}
