import { spawn } from "node:child_process";

export type CommandResult =
  | { readonly is: "exited"; readonly code: number }
  | { readonly is: "killed"; readonly by: string }
  | { readonly is: "timed-out"; readonly afterMs: number }
  | { readonly is: "not-started"; readonly why: string };

export type CommandOptions = {
  readonly directory: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly onLine: (line: string, stream: "stdout" | "stderr") => void;
  readonly signal: AbortSignal;
};

/** Longest line that is passed on whole. */
const maxLineChars = 8_192;
const killAfterMs = 5_000;

/** Runs an argument array to its end, in a process group of its own that ends with it. Never a shell, never a rejection but the signal's. */
export async function runCommand(command: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [program, ...args] = command;
  if (program === undefined) return { is: "not-started", why: "the command is empty" };
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    cwd: options.directory,
    env: { ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = (name: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // The group has ended already.
    }
  };
  let timedOut = false;
  const terminate = (): void => {
    stop("SIGTERM");
    setTimeout(() => stop("SIGKILL"), killAfterMs).unref();
  };
  const timer = setTimeout(() => {
    timedOut = true;
    terminate();
  }, options.timeoutMs);
  options.signal.addEventListener("abort", terminate, { once: true });
  eachLine(child.stdout, (line) => options.onLine(line, "stdout"));
  eachLine(child.stderr, (line) => options.onLine(line, "stderr"));
  const result = await new Promise<CommandResult>((resolve) => {
    child.on("error", (error) => resolve({ is: "not-started", why: error.message }));
    child.on("close", (code, signal) =>
      resolve(
        timedOut
          ? { is: "timed-out", afterMs: options.timeoutMs }
          : code === null
            ? { is: "killed", by: signal ?? "?" }
            : { is: "exited", code },
      ),
    );
  });
  clearTimeout(timer);
  options.signal.removeEventListener("abort", terminate);
  // What the command left behind in its group must not outlive it.
  stop("SIGKILL");
  options.signal.throwIfAborted();
  return result;
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line.slice(0, maxLineChars));
    if (rest.length > maxLineChars) {
      onLine(rest.slice(0, maxLineChars));
      rest = "";
    }
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
