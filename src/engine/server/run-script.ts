import { SlipwayError } from "../../core/errors/error.ts";
import { readScriptLine, type ScriptEvent } from "../../core/server/report.ts";
import type { Ssh } from "../../lib/ssh/open-ssh.ts";
import { serverError } from "./errors.ts";

export type ScriptMode = "check" | "apply" | "confirm";

export type ScriptRun = { readonly events: readonly ScriptEvent[]; readonly code: number; readonly stderr: string };

/** Packages and a slow mirror are in it. */
const limitMs: Readonly<Record<ScriptMode, number>> = { check: 180_000, apply: 1_800_000, confirm: 30_000 };
/** apt on a fresh machine writes about 100 kB. */
const maxOutputBytes = 16_777_216;
const shortAnswerMs = 30_000;

/**
 * Runs the server script over SSH, its text by stdin: nothing is left on the server, and nothing of it stands in a process list.
 * As root, or through `sudo -n`. `check` may be repeated and changes nothing; so may the others.
 */
export async function runScript(
  ssh: Ssh,
  script: string,
  mode: ScriptMode,
  options: { readonly signal: AbortSignal; readonly onEvent?: (event: ScriptEvent) => void },
): Promise<ScriptRun> {
  const events: ScriptEvent[] = [];
  try {
    const shell = ["sh", "-s", "--", "--porcelain", mode];
    const { code, stderr } = await ssh.run([...(await asRoot(ssh, options.signal)), ...shell], {
      stdin: script,
      signal: options.signal,
      timeoutMs: limitMs[mode],
      maxBytes: maxOutputBytes,
      onLine: (line, stream) => {
        const event = stream === "stdout" ? readScriptLine(line) : null;
        if (event === null) return;
        events.push(event);
        options.onEvent?.(event);
      },
    });
    return { events, code, stderr };
  } catch (error) {
    throw serverError(error);
  }
}

/** What stands before a command that must run as root. */
async function asRoot(ssh: Ssh, signal: AbortSignal): Promise<readonly string[]> {
  const who = await ssh.run(["id", "-u"], { signal, timeoutMs: shortAnswerMs });
  if (who.stdout.trim() === "0") return [];
  const sudo = await ssh.run(["sudo", "-n", "true"], { signal, timeoutMs: shortAnswerMs });
  if (sudo.code === 0) return ["sudo", "-n"];
  throw new SlipwayError("SERVER_REFUSED", {
    message: `${ssh.destination} is not root there and may not use sudo without a password; nothing was changed`,
    evidence: [["sudo", sudo.stderr.trim().split("\n").at(-1) ?? ""]],
    hint: "log in as root: ssh://root@<host>",
  });
}
