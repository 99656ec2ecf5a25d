import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { resizeTerminal, spawnOnTerminal } from "../../../lib/terminal.ts";
import type { Session, SessionOutput, SessionSpec } from "../../../ports/session.ts";

export type Place = { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

/** Directory and environment of a process that runs, as the kernel has them. Null when it is gone. */
export function placeOf(pid: number): Place | null {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((pair) => pair.includes("="));
    const env = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
    return { cwd: readlinkSync(`/proc/${pid}/cwd`), env };
  } catch {
    return null;
  }
}

/**
 * A command as a child of the control plane, in a process group of its own: when the signal is aborted, it and what it forked are
 * killed. Errors: EXEC_FAILED.
 */
export async function openProcessSession(
  { command, terminal }: Pick<SessionSpec, "command" | "terminal">,
  { cwd, env }: Place,
  signal: AbortSignal,
): Promise<Session> {
  const [program = "", ...args] = command;
  const child =
    terminal === null
      ? spawn(program, args, { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] })
      : spawnOnTerminal(command, { size: terminal, cwd, env: { TERM: "xterm-256color", ...env } });
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])));
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("a child has its three streams");
  // Who has ended reads no more.
  stdin.on("error", () => {});
  await started(child, terminal === null ? program : "script");
  const kill = (): void => void killGroup(child, "SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  void ended.then(() => signal.removeEventListener("abort", kill));
  return {
    output: merged(stdout, stderr),
    write: async (data) => {
      if (!stdin.destroyed && !stdin.write(data)) await Promise.race([once(stdin, "drain"), ended]).catch(() => {});
    },
    end: () => void stdin.end(),
    resize: (size) => (terminal === null ? Promise.resolve() : resizeTerminal(child, size)),
    signal: async (name) => killGroup(child, name),
    exit: ended,
  };
}

async function started(child: ChildProcess, program: string): Promise<void> {
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new SlipwayError("EXEC_FAILED", {
      message: `${program} could not be run: ${reasonOf(error)}`,
      ...(program === "script" ? { hint: "install util-linux, or leave -t out: then no terminal is needed" } : {}),
      cause: error,
    });
  }
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess, name: NodeJS.Signals): boolean {
  if (pid === undefined || exitCode !== null || signalCode !== null) return false;
  try {
    return process.kill(-pid, name);
  } catch {
    return false;
  }
}

/** Both outputs in the order in which they come; who reads slowly holds up both. */
async function* merged(stdout: Readable, stderr: Readable): AsyncGenerator<SessionOutput> {
  const streams = { stdout: stdout[Symbol.asyncIterator](), stderr: stderr[Symbol.asyncIterator]() };
  const next = (stream: SessionOutput["stream"]) => streams[stream].next().then((result) => ({ stream, result }));
  const waiting = new Map([["stdout", next("stdout")] as const, ["stderr", next("stderr")] as const]);
  while (waiting.size > 0) {
    const { stream, result } = await Promise.race(waiting.values());
    if (result.done === true) waiting.delete(stream);
    else {
      waiting.set(stream, next(stream));
      yield { stream, data: result.value as Buffer };
    }
  }
}
