import { spawn } from "node:child_process";
import { constants } from "node:os";
import { type ExecReport, requestLimits, SupervisorError } from "./contract.ts";
import { signal } from "./procfs.ts";

/** Runs a command to its end. When aborted, it and what it forked are killed. What it prints beyond the limit is cut. */
export function runBeside(
  command: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<ExecReport> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const refused = (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      reject(new SupervisorError("EXEC_FAILED", `${program} could not be run: ${message}`));
    };
    try {
      const child = spawn(program ?? "", args, {
        cwd: options.cwd,
        env: options.env,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const kill = () => {
        if (child.pid !== undefined) signal(-child.pid, "SIGKILL");
      };
      options.signal.addEventListener("abort", kill, { once: true });
      const stdout = collect(child.stdout);
      const stderr = collect(child.stderr);
      child.once("error", refused);
      child.once("close", (code, name) => {
        options.signal.removeEventListener("abort", kill);
        resolve({ code: code ?? 128 + signalNumber(name), stdout: stdout(), stderr: stderr() });
      });
      if (options.signal.aborted) kill();
    } catch (error) {
      refused(error);
    }
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let cut = 0;
  stream.on("data", (chunk: Buffer) => {
    const room = requestLimits.execOutputBytes - bytes;
    const kept = chunk.subarray(0, room);
    if (kept.length > 0) chunks.push(kept);
    bytes += kept.length;
    cut += chunk.length - kept.length;
  });
  return () => Buffer.concat(chunks).toString("utf8") + (cut > 0 ? `\n…[cut: ${cut} bytes more]` : "");
}

/** As shells say it: 128 and the number of the signal. */
function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : constants.signals[name];
}
