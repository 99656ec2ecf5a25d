import type { Duplex } from "node:stream";
import { z } from "zod";
import { type Docker, pathOf } from "./docker.ts";

export type ExecConfig = {
  readonly Cmd: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Tty?: boolean;
  readonly AttachStdin?: boolean;
};

const inspected = z.object({ Running: z.boolean(), ExitCode: z.number().nullish(), Pid: z.number().nullish() });

/** Its id. A container that does not run is a refusal (409). */
export async function createExec(
  docker: Docker,
  container: string,
  config: ExecConfig,
  signal: AbortSignal,
): Promise<string> {
  const body = { AttachStdout: true, AttachStderr: true, ...config };
  const call = { method: "POST", path: pathOf`/containers/${container}/exec`, body, signal } as const;
  return (await docker.json(call, z.object({ Id: z.string() }))).Id;
}

/** Starts it with its input: what is written goes in, what is read comes out, in frames unless it has a terminal. */
export function attachExec(
  docker: Docker,
  exec: string,
  options: { readonly tty: boolean },
  signal: AbortSignal,
): Promise<Duplex> {
  const body = { Detach: false, Tty: options.tty };
  return docker.hijack({ method: "POST", path: pathOf`/exec/${exec}/start`, body, signal });
}

export async function resizeExec(
  docker: Docker,
  exec: string,
  size: { readonly rows: number; readonly columns: number },
  signal: AbortSignal,
): Promise<void> {
  const query = { h: size.rows, w: size.columns };
  await docker.send({ method: "POST", path: pathOf`/exec/${exec}/resize`, query, signal });
}

/** Null while it runs. */
export async function execExitCode(docker: Docker, exec: string, signal: AbortSignal): Promise<number | null> {
  const seen = await docker.json({ method: "GET", path: pathOf`/exec/${exec}/json`, signal }, inspected);
  return seen.Running ? null : (seen.ExitCode ?? null);
}
