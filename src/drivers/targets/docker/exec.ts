import { SlipwayError } from "../../../core/errors/error.ts";
import type { InstanceId } from "../../../core/ids.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { createExec, execExitCode, execOutput } from "../../../lib/docker/exec.ts";
import type { ExecResult } from "../../../ports/target.ts";
import type { Host } from "./host.ts";

/** Of each output; what comes after is read and dropped, so that the command can end. */
const maxOutputBytes = 1_048_576;

/** Runs a command in a container that runs. Errors: EXEC_FAILED. */
export async function execIn(
  { host, container, instance }: { readonly host: Host; readonly container: string; readonly instance: InstanceId },
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  try {
    const exec = await createExec(host.docker, container, { Cmd: command }, signal);
    const outputs = { stdout: new Bounded(), stderr: new Bounded() };
    for await (const { stream, data } of execOutput(host.docker, exec, signal)) outputs[stream].add(data);
    const code = await execExitCode(host.docker, exec, signal);
    const result = { code: code ?? -1, stdout: outputs.stdout.text(), stderr: outputs.stderr.text() };
    if (!neverBegan(result)) return result;
    throw failed(instance, command, `${result.stdout}${result.stderr}`.trim());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DockerError && error.code === "REFUSED") throw failed(instance, command, error.message, error);
    throw error;
  }
}

class Bounded {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  add(data: Buffer): void {
    const rest = maxOutputBytes - this.#bytes;
    if (rest <= 0) return;
    // A copy: a frame is a piece of a larger buffer.
    this.#chunks.push(Buffer.from(data.subarray(0, rest)));
    this.#bytes += Math.min(rest, data.length);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/** Engines before 25 start the command first and write into its output that there is none. */
function neverBegan({ code, stdout, stderr }: ExecResult): boolean {
  return (code === 126 || code === 127) && /^OCI runtime exec failed/.test(stdout === "" ? stderr : stdout);
}

function failed(instance: InstanceId, command: readonly string[], reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError("EXEC_FAILED", {
    message: `${command[0] ?? "nothing"} could not be run in ${instance}: ${reason}`,
    evidence: [["command", JSON.stringify(command)]],
    cause,
  });
}
