import { randomInt } from "node:crypto";
import { type Evidence, SlipwayError } from "../../../core/errors/error.ts";
import { instanceId } from "../../../core/ids.ts";
import {
  createContainer,
  inspectContainer,
  putArchive,
  removeContainer,
  setRestartPolicy,
  startContainer,
} from "../../../lib/docker/containers.ts";
import { DockerError, isAbsent, isConflict } from "../../../lib/docker/errors.ts";
import { archiveOf } from "../../../lib/docker/files-archive.ts";
import type { Image } from "../../../lib/docker/images.ts";
import { connectNetwork } from "../../../lib/docker/networks.ts";
import type { RevisionSpec } from "../../../ports/target.ts";
import {
  aliasesOf,
  containerConfig,
  containerOf,
  defaultPort,
  type Place,
  plainText,
  wantedPolicy,
} from "./container-config.ts";
import { takenPort } from "./errors.ts";
import type { Host } from "./host.ts";
import { containerName, identityOf } from "./labels.ts";
import type { NetworksAt } from "./networks.ts";
import { isWanted, type Seen } from "./status.ts";

/** Below the kernel's ephemeral range, so that an outgoing connection cannot take the port while an instance restarts. */
const firstPort = 20_000;
const lastPort = 29_999;
const portTries = 20;

export type Ground = {
  readonly host: Host;
  readonly image: Image;
  /** Resolves when the image has our name there. */
  readonly named: Promise<void>;
  readonly networks: NetworksAt;
  readonly elsewhere: Readonly<Record<string, string>>;
};

/** How what was done here is taken back. */
export type Undo = { readonly host: Host; readonly container: string; readonly by: "removing" | "stopping" };

/**
 * Makes one instance run: starts the container that is there, also one that a crash left half made, or makes it. Says each step to
 * `undo` before it is done. Errors: START_FAILED, PORT_TAKEN, PORTS_EXHAUSTED.
 */
export async function bringUp(
  spec: RevisionSpec,
  { index, ground, before }: { readonly index: number; readonly ground: Ground; readonly before: Seen | null },
  undo: (step: Undo) => void,
  signal: AbortSignal,
): Promise<void> {
  const { host } = ground;
  if (before !== null && !isDown(before)) return keepWanted(host, before, signal);
  const hasEnded = before?.identity.mode === "job" && before.container.State.Status === "exited";
  if (hasEnded) return;
  if (before !== null) {
    const { Id } = before.container;
    undo({ host, container: Id, by: "stopping" });
    try {
      await start(host, Id, signal);
      // While it boots: an engine takes as long for this as for a tenth of a start.
      await keepWanted(host, before, signal);
      return;
    } catch (error) {
      // Its port is another's by now, or its network was made anew: the next one gets new ones.
      const isOwnPort = before.identity.address?.endsWith(`:${takenPort(error)}`) === true;
      if (!isOwnPort && !isNetworkGone(error)) throw startFailed(spec, host, error);
      await removeContainer(host.docker, Id, signal);
      host.forget(Id);
    }
  }
  await make(spec, index, ground, undo, signal);
}

/** Has its engine start it again by itself, also where a crash came between its start and this. */
async function keepWanted(host: Host, seen: Seen, signal: AbortSignal): Promise<void> {
  if (seen.identity.mode === "job" || isWanted(seen)) return;
  await setRestartPolicy(host.docker, seen.container.Id, wantedPolicy, signal);
  host.forget(seen.container.Id);
}

async function make(
  spec: RevisionSpec,
  index: number,
  ground: Ground,
  undo: (step: Undo) => void,
  signal: AbortSignal,
): Promise<void> {
  const { host, networks, image, elsewhere } = ground;
  const network = networks.first;
  for (let tries = 0; tries < portTries; tries++) {
    const published = spec.listens
      ? { host: network.publishAt, hostPort: randomInt(firstPort, lastPort + 1), port: portOf(spec, image) }
      : null;
    const place: Place = { index, network: network.name, published, elsewhere };
    try {
      const container = await create(spec, host, image, place, signal);
      undo({ host, container, by: "removing" });
      await complete(spec, ground, container, signal);
      await start(host, container, signal);
      return;
    } catch (error) {
      if (published === null || takenPort(error) !== published.hostPort) throw startFailed(spec, host, error);
      const half = await inspectContainer(host.docker, containerName(instanceId(spec.id, index)), signal);
      if (half !== null) await removeContainer(host.docker, half.Id, signal);
    }
  }
  throw new SlipwayError("PORTS_EXHAUSTED", {
    message: `host ${host.name}: no free port between ${firstPort} and ${lastPort} was found in ${portTries} tries`,
  });
}

/** What a container can only be given when it is there, and needs before it starts. Safe to repeat. */
export async function complete(
  spec: RevisionSpec,
  { host, networks }: Ground,
  container: string,
  signal: AbortSignal,
): Promise<void> {
  const aliases = spec.mode === "accessory" ? aliasesOf(spec) : [];
  for (const name of networks.others) await connectNetwork(host.docker, name, container, aliases, signal);
  const files = (containerOf(spec).composed?.files ?? []).map((file) => ({ ...file, text: plainText(file.text) }));
  if (files.length > 0) await putArchive(host.docker, container, archiveOf(files), signal);
}

/** Its id. A name that is taken by one of ours is the same instance, made by a call that nobody heard the end of. */
async function create(
  spec: RevisionSpec,
  host: Host,
  image: Image,
  place: Place,
  signal: AbortSignal,
): Promise<string> {
  const name = containerName(instanceId(spec.id, place.index));
  try {
    return await createContainer(host.docker, name, containerConfig(spec, image.Id, place), signal);
  } catch (error) {
    if (!isConflict(error)) throw error;
    const there = await inspectContainer(host.docker, name, signal);
    if (there === null) throw error;
    if (identityOf(there.Config.Labels, spec.product)?.revision !== spec.id) {
      throw new SlipwayError("START_FAILED", {
        message: `host ${host.name}: a container called ${name} is there and is not ours`,
        hint: `remove or rename it: docker rm ${name}`,
      });
    }
    return there.Id;
  }
}

async function start(host: Host, container: string, signal: AbortSignal): Promise<void> {
  await startContainer(host.docker, container, signal);
  host.forget(container);
}

/** Stops it so that nobody but us starts it again. Does nothing when it is not there. */
export async function stopForGood(host: Host, container: string, graceMs: number, signal: AbortSignal): Promise<void> {
  await setRestartPolicy(host.docker, container, "no", signal);
  await host.stop(container, graceMs, signal);
}

/** Does not run, and its engine is not about to start it again. */
export function isDown({ container: { State } }: Seen): boolean {
  return State.Status === "created" || State.Status === "exited" || State.Status === "dead";
}

export function isNetworkGone(error: unknown): boolean {
  return isAbsent(error) && /network \S+ not found|network .* not found/i.test(error.message);
}

export function isImageGone(error: unknown): boolean {
  return isAbsent(error) && /no such image/i.test(error.message);
}

/** What it says, else the only port that its image says, else ours. */
function portOf(spec: RevisionSpec, image: Image): number {
  const exposed = Object.keys(image.Config?.ExposedPorts ?? {}).filter((port) => port.endsWith("/tcp"));
  return containerOf(spec).port ?? (exposed.length === 1 ? Number.parseInt(exposed[0] ?? "", 10) : defaultPort);
}

function startFailed(spec: RevisionSpec, host: Host, error: unknown): unknown {
  if (!(error instanceof DockerError) || error.code !== "REFUSED") return error;
  // Tried again by the caller after it has looked what is there.
  if (isNetworkGone(error) || isImageGone(error)) return error;
  const port = takenPort(error);
  if (port !== null) {
    const which = port === 0 ? "a port of it" : `port ${port}`;
    return new SlipwayError("PORT_TAKEN", {
      message: `host ${host.name}: ${which} is used by another program, and ${spec.service} needs it`,
      evidence: [["engine", error.message]],
      cause: error,
    });
  }
  if (/no space left on device/i.test(error.message)) return error;
  const evidence: Evidence[] = [["host", host.name]];
  if (spec.command.length > 0) evidence.unshift(["command", JSON.stringify(spec.command)]);
  return new SlipwayError("START_FAILED", {
    message: `${spec.service} could not be started on host ${host.name}: ${error.message}`,
    evidence,
    cause: error,
  });
}
