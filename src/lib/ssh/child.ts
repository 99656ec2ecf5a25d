import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

/** So much of ssh's and a command's own words is kept, the newest. */
const maxStderrBytes = 65_536;
const killAfterMs = 2_000;

export type SshChild = {
  readonly process: ChildProcessWithoutNullStreams;
  /** What it wrote to stderr so far, the newest 64 KiB. */
  stderr(): string;
  /** When it has ended and its outputs are read: its exit code, null when a signal ended it or it could not be started. */
  readonly ended: Promise<{ readonly code: number | null; readonly failure: Error | null }>;
  /** SIGTERM, and SIGKILL when that is not enough. */
  stop(): void;
};

/** One ssh process, in a group of its own so that a terminal's Ctrl-C is ours to handle. */
export function sshChild(program: string, args: readonly string[], onStderr?: (text: string) => void): SshChild {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  let kept = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => {
    kept = (kept + text).slice(-maxStderrBytes);
    onStderr?.(text);
  });
  // Told by `ended`; a pipe that breaks says nothing more.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => {});
  let stopped = false;
  // The connection's process holds our ends of the pipes too, as long as the command on the host runs: nobody waits for that.
  child.on("exit", () => {
    if (stopped) for (const stream of [child.stdout, child.stderr]) stream.destroy();
  });
  const ended = new Promise<{ code: number | null; failure: Error | null }>((resolve) => {
    child.on("error", (failure) => resolve({ code: null, failure }));
    child.on("close", (code) => resolve({ code, failure: null }));
  });
  return {
    process: child,
    stderr: () => kept,
    ended,
    stop: () => {
      stopped = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), killAfterMs).unref();
    },
  };
}
