import { once } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../../core/errors/error.ts";
import { instanceId } from "../../../core/ids.ts";
import {
  attachContainer,
  createContainer,
  killContainer,
  removeContainer,
  resizeContainer,
  startContainer,
  waitContainer,
} from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { attachExec, createExec, execExitCode, resizeExec } from "../../../lib/docker/exec.ts";
import { framesOf } from "../../../lib/docker/frames.ts";
import type { Session, SessionOutput, SessionSpec, TerminalSize } from "../../../ports/session.ts";
import type { RevisionSpec } from "../../../ports/target.ts";
import { containerConfig } from "./container-config.ts";
import type { Host } from "./host.ts";
import { complete, type Ground } from "./instance.ts";
import { containerName } from "./labels.ts";

type Wanted = Pick<SessionSpec, "command" | "terminal">;

const terminalName = "TERM=xterm-256color";
/** What a person types to interrupt, and to end the input: an engine has no way to end a command beside a container's own. */
const hangUp = Buffer.from([3, 4]);
const exitLookMs = 50;
const exitLooks = 100;
const sizeTries = 40;
/** Removing a container must not hang for ever at a host that is cut off; what is left there goes at the next start. */
const removeMs = 30_000;

/** A command beside a container's own. When the signal is aborted its input ends and it is let go of. Errors: EXEC_FAILED. */
export async function openExecSession(
  host: Host,
  container: string,
  { command, terminal }: Wanted,
  signal: AbortSignal,
): Promise<Session> {
  const { docker } = host;
  const tty = terminal !== null;
  const config = { Cmd: command, AttachStdin: true, Tty: tty, ...(tty && { Env: [terminalName] }) };
  const exec = await refusedAs(command, () => createExec(docker, container, config, signal));
  const stream = await refusedAs(command, () => attachExec(docker, exec, { tty }, signal));
  const resize = (size: TerminalSize): Promise<void> => resizeExec(docker, exec, size, signal);
  if (terminal !== null) void firstSize(() => resize(terminal), signal);
  return sessionOf(stream, { tty, signal, resize, kill: null }, () => execExit(docker, exec, signal));
}

/** A command in a container of its own, which is removed when the command has ended, or the signal is aborted. */
export async function openFreshSession(
  spec: RevisionSpec,
  ground: Ground,
  { command, terminal }: Wanted,
  signal: AbortSignal,
): Promise<Session> {
  const { host, image, elsewhere } = ground;
  const { docker } = host;
  const tty = terminal !== null;
  const plain = { ...spec, mode: "job" as const, command, listens: false };
  const place = { index: 0, network: ground.networks.first.name, published: null, elsewhere };
  const { Env = [], ...config } = containerConfig(plain, image.Id, place);
  const streams = {
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
  };
  const name = containerName(instanceId(spec.id, 0));
  const env = tty ? [...Env, terminalName] : Env;
  const id = await createContainer(docker, name, { ...config, ...streams, Env: env }, signal);
  const remove = (): Promise<void> => removeContainer(docker, id, AbortSignal.timeout(removeMs));
  try {
    await complete(spec, ground, id, signal);
    const stream = await attachContainer(docker, id, signal);
    // Asked before it starts: one that ends at once has ended nevertheless.
    const ended = waitContainer(docker, id, signal, "next-exit");
    ended.catch(() => {});
    await refusedAs(command, () => startContainer(docker, id, signal));
    const resize = (size: TerminalSize): Promise<void> => resizeContainer(docker, id, size, signal);
    if (terminal !== null) void firstSize(() => resize(terminal), signal);
    const kill = (signalName: string): Promise<void> => killContainer(docker, id, signalName, signal);
    return sessionOf(stream, { tty, signal, resize, kill }, () => ended, remove);
  } catch (error) {
    await remove().catch(() => {});
    throw error;
  }
}

type Means = {
  readonly tty: boolean;
  readonly signal: AbortSignal;
  readonly resize: (size: TerminalSize) => Promise<void>;
  readonly kill: ((name: string) => Promise<void>) | null;
};

function sessionOf(
  stream: Duplex,
  { tty, signal, resize, kill }: Means,
  exitCode: () => Promise<number>,
  clean: () => Promise<void> = async () => {},
): Session {
  // Its end is told by what is read; a write after it is nobody's error.
  stream.on("error", () => {});
  const leave = (): void => {
    if (tty && stream.writable) stream.write(hangUp);
    stream.end();
    stream.destroy();
  };
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  let wasRead = (): void => {};
  const read = new Promise<void>((resolve) => {
    wasRead = resolve;
  });
  const exit = Promise.race([read, closed])
    .then(exitCode)
    .finally(() => {
      signal.removeEventListener("abort", leave);
      stream.destroy();
      return clean();
    });
  exit.catch(() => {});
  return {
    output: outputOf(stream, { tty, onEnd: () => wasRead() }),
    write: async (data) => {
      if (stream.writable && !stream.write(data)) await Promise.race([once(stream, "drain"), closed]).catch(() => {});
    },
    end: () => void stream.end(),
    resize: (size) => resize(size).catch(unlessEnded),
    signal: async (name) => {
      if (kill === null) return false;
      await kill(name).catch(unlessEnded);
      return true;
    },
    exit,
  };
}

async function* outputOf(
  stream: Duplex,
  { tty, onEnd }: { readonly tty: boolean; readonly onEnd: () => void },
): AsyncGenerator<SessionOutput> {
  try {
    if (!tty) yield* framesOf(stream);
    else for await (const data of stream) yield { stream: "stdout", data: data as Buffer };
  } finally {
    onEnd();
  }
}

/** An engine that is only starting the command refuses the size of its terminal: a moment later it takes it. */
async function firstSize(resize: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < sizeTries && !signal.aborted; tries++) {
    try {
      return await resize();
    } catch {
      await sleep(exitLookMs, null, { signal }).catch(() => {});
    }
  }
}

/** The engine takes note of the end a moment after the output's. */
async function execExit(docker: Docker, exec: string, signal: AbortSignal): Promise<number> {
  for (let look = 0; look < exitLooks; look++) {
    const code = await execExitCode(docker, exec, signal);
    if (code !== null) return code;
    await sleep(exitLookMs, null, { signal });
  }
  throw new SlipwayError("EXEC_FAILED", { message: "its output has ended, and it goes on" });
}

/** What has ended needs neither a size nor a signal. */
function unlessEnded(error: unknown): void {
  if (error instanceof DockerError && error.code === "REFUSED") return;
  throw error;
}

async function refusedAs<T>(command: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DockerError) || error.code !== "REFUSED") throw error;
    throw new SlipwayError("EXEC_FAILED", {
      message: `${command[0] ?? "nothing"} could not be run: ${error.message}`,
      evidence: [["command", JSON.stringify(command)]],
      cause: error,
    });
  }
}
