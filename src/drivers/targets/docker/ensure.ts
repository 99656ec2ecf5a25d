import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { RevisionId } from "../../../core/ids.ts";
import type { Image } from "../../../lib/docker/images.ts";
import { createVolume, inspectVolume } from "../../../lib/docker/volumes.ts";
import type { Log } from "../../../ports/log.ts";
import type {
  HostsAway,
  ImageArtifact,
  RevisionSelector,
  RevisionSpec,
  RevisionStatus,
} from "../../../ports/target.ts";
import { adoptedAccessory } from "./adopt.ts";
import { containerOf, namedVolumes, volumesOf } from "./container-config.ts";
import type { Fleet } from "./fleet.ts";
import type { Host } from "./host.ts";
import type { Images } from "./images.ts";
import { bringUp, type Ground, isDown, isImageGone, isNetworkGone, stopForGood, type Undo } from "./instance.ts";
import { environmentLabels } from "./labels.ts";
import type { NetworkAt, Networks } from "./networks.ts";
import { place } from "./placement.ts";
import type { Removal } from "./remove.ts";
import { isWanted, revisionsOf, type Seen } from "./status.ts";

/** Beside the grace of what is stopped: a way back must not hang for ever at a host that is cut off. */
const undoLimitMs = 30_000;

export type Room = {
  readonly fleet: Fleet;
  readonly images: Images;
  readonly networks: Networks;
  readonly removal: Removal;
  readonly log: Log | null;
  readonly hostsAway?: HostsAway | undefined;
};

type At = { readonly host: Host; readonly seen: Seen };

/**
 * The runbook of one revision: look, place, prepare each host, start what is missing everywhere at once, stop the surplus. When
 * something fails at any host, what this call began is undone at all of them; an abort leaves it, for the caller to repeat or remove.
 */
export async function ensureRevision(
  room: Room,
  spec: RevisionSpec,
  artifact: ImageArtifact,
  options: { readonly instances: number; readonly signal: AbortSignal },
): Promise<RevisionStatus> {
  const { instances, signal } = options;
  // Begun together with the look at what runs: most starts need both answers.
  const images =
    instances === 0
      ? null
      : new Map(room.fleet.hosts.map((host) => [host, room.images.look(host, spec, artifact, signal)]));
  const { hosts, all } = await lookEverywhere(room, selectorOf(spec), signal);
  const isReplaced = (seen: Seen): boolean => seen.identity.revision === spec.replaces && isDown(seen);
  const other = all.find(
    ({ seen }) => seen.identity.revision !== spec.id && seen.identity.mode === "accessory" && !isReplaced(seen),
  );
  const present = all.filter(({ seen }) => seen.identity.revision === spec.id);
  checkHostPorts(spec, { instances, hosts: hosts.length, all: room.fleet.hosts.length });
  if (instances === 0 && present.length === 0) await bring(room, spec, artifact, { hosts, signal });
  // Data must not be in two hands, nor change their version unasked: the answer's id and digest say what runs.
  if (other !== undefined)
    return statusOf(room, { ...spec, ...other.seen.identity, id: other.seen.identity.revision }, signal);
  if (instances === 0) {
    await stopAll(room, present, signal);
    return statusOf(room, spec, signal);
  }
  const adopted = present.length > 0 ? null : await adoptedAccessory(spec, hosts, signal);
  if (adopted !== null) return adopted;

  const undo: Undo[] = [];
  try {
    // Where its name leads by now, as containers on other hosts were told.
    const home = all.find(({ seen }) => isReplaced(seen))?.host.name ?? null;
    await mustKnowItsData(room, spec, { hosts, isThere: present.length > 0 || home !== null, signal });
    const placed = await placeOf(spec, { hosts, present, home, instances, signal });
    const grounds = new Map<string, Ground>();
    const needed = hosts.filter((host) => placed.some((each) => each.host === host.name));
    const isMissing = placed.some(
      ({ index }) => !present.some(({ seen }) => seen.identity.index === index && isInPlace(seen)),
    );
    if (isMissing) {
      await allOrFirstFailure(
        needed.map(async (host) => {
          const there = images?.get(host);
          grounds.set(host.name, await prepare(room, spec, artifact, { host, there, signal }));
        }),
      );
      await allOrFirstFailure(
        placed.map(async ({ index, host: name }) => {
          const ground = grounds.get(name);
          if (ground === undefined) return;
          const before =
            present.find((each) => each.host.name === name && each.seen.identity.index === index)?.seen ?? null;
          await ground.host.do(() =>
            again(room, spec, artifact, { index, ground, before, signal }, (step) => undo.push(step)),
          );
          await ground.host.do(() => ground.named);
        }),
      );
    }
    const surplus = present.filter(({ host, seen }) => {
      return !placed.some((each) => each.index === seen.identity.index && each.host === host.name);
    });
    await stop(surplus, signal);
    // One index in two places, because a host was away when the other was made: the second has no name of its own to come back under.
    const doubled = surplus.filter(({ seen }) => seen.identity.index < instances);
    await allOrFirstFailure(
      doubled.map(({ host, seen }) =>
        host.do(async () => {
          await room.removal.container(host, seen, signal);
          // Nothing there would say any more that the image goes with the revision, and the network with the environment.
          await room.images.release(host, spec.service, seen.container.Image, signal);
          await room.networks.release(host, spec.environment, signal);
        }),
      ),
    );
  } catch (error) {
    signal.throwIfAborted();
    await takeBack(room, spec, artifact, undo);
    throw error;
  }
  return statusOf(room, spec, signal);
}

/** Stops what every host has of a revision, whatever release it is of. */
export async function stopRevision(room: Room, revision: RevisionId, signal: AbortSignal): Promise<void> {
  const { all } = await lookEverywhere(room, { revision }, signal);
  await stopAll(room, all, signal);
}

/** Runs, and its engine would start it again. */
function isInPlace(seen: Seen): boolean {
  return !isDown(seen) && (seen.identity.mode === "job" || isWanted(seen));
}

/** Where one instance of a revision would run, with all that it needs there. */
export async function groundOf(
  room: Room,
  spec: RevisionSpec,
  artifact: ImageArtifact,
  signal: AbortSignal,
): Promise<Ground> {
  const { hosts, all: present } = await lookEverywhere(room, selectorOf(spec), signal);
  const [placed] = await placeOf(spec, { hosts, present, home: null, instances: 1, signal });
  const host = hosts.find(({ name }) => name === placed?.host);
  if (host === undefined) throw new Error("one instance has one place");
  const ground = await prepare(room, spec, artifact, { host, signal });
  await host.do(() => ground.named);
  return ground;
}

/** Of the revision; of an accessory, what there is under that name. */
function selectorOf({ id, environment, service, mode }: RevisionSpec): RevisionSelector {
  return mode === "accessory" ? { environment, service } : { revision: id };
}

/** What each host that answers has. */
async function lookEverywhere(
  room: Room,
  selector: RevisionSelector,
  signal: AbortSignal,
): Promise<{ readonly hosts: readonly Host[]; readonly all: readonly At[] }> {
  const looks = await room.fleet.each(
    async (host) => {
      const seen = await host.look(selector, signal);
      const wasEnding = await host.stopped(
        seen.map(({ container }) => container.Id),
        signal,
      );
      return { host, seen: wasEnding ? await host.look(selector, signal) : seen };
    },
    signal,
    room.hostsAway,
  );
  return {
    hosts: looks.map(({ host }) => host),
    all: looks.flatMap(({ host, seen }) => seen.map((each) => ({ host, seen: each }))),
  };
}

/**
 * The image, to every host where the revision may come to run. Nothing else: what is only prepared has no name, port or volume, and
 * whatever runs goes on.
 */
async function bring(
  room: Room,
  spec: RevisionSpec,
  artifact: ImageArtifact,
  { hosts, signal }: { readonly hosts: readonly Host[]; readonly signal: AbortSignal },
): Promise<void> {
  const home = await homeOfVolumes(spec, hosts, signal);
  const mayRun = hosts.filter((host) => home === null || host.name === home);
  try {
    await allOrFirstFailure(
      mayRun.map((host) =>
        host.do(async () => {
          room.removal.note(host, spec, artifact);
          await (await room.images.ensure(host, spec, artifact, { signal })).named;
        }),
      ),
    );
  } catch (error) {
    signal.throwIfAborted();
    await takeBack(room, spec, artifact, []);
    throw error;
  }
}

/** Stopped containers are kept, for a way back without an image; jobs are not: the next start is a new one. */
async function stopAll(room: Room, present: readonly At[], signal: AbortSignal): Promise<void> {
  await stop(present, signal);
  const jobs = present.filter(({ seen }) => seen.identity.mode === "job");
  await Promise.all(jobs.map(({ host, seen }) => host.do(() => room.removal.container(host, seen, signal))));
}

/** Each with the grace that it was started with. */
async function stop(all: readonly At[], signal: AbortSignal): Promise<void> {
  await allOrFirstFailure(
    all
      .filter(({ seen }) => !isDown(seen) || isWanted(seen))
      .map(({ host, seen: { container, identity } }) =>
        host.do(() => stopForGood(host, container.Id, identity.stopGraceMs, signal)),
      ),
  );
}

/** Once more when somebody removed our network or image past us since we last looked. */
async function again(
  room: Room,
  spec: RevisionSpec,
  artifact: ImageArtifact,
  { index, ground, before, signal }: { index: number; ground: Ground; before: Seen | null; signal: AbortSignal },
  undo: (step: Undo) => void,
): Promise<void> {
  try {
    await bringUp(spec, { index, ground, before }, undo, signal);
  } catch (error) {
    if (!isNetworkGone(error) && !isImageGone(error)) throw error;
    room.networks.forget(ground.host);
    room.images.forget(ground.host);
    const anew = await prepare(room, spec, artifact, { host: ground.host, signal });
    await bringUp(spec, { index, ground: anew, before: null }, undo, signal);
    await anew.named;
  }
}

async function prepare(
  room: Room,
  spec: RevisionSpec,
  artifact: ImageArtifact,
  {
    host,
    there,
    signal,
  }: { readonly host: Host; readonly there?: Promise<Image | null> | undefined; readonly signal: AbortSignal },
): Promise<Ground> {
  return host.do(async () => {
    // A host that is cut off from now on may have the image and nothing that says whose it is.
    room.removal.note(host, spec, artifact);
    // The image first: it is what may be refused, and then nothing else has been touched.
    const { image, named } = await room.images.ensure(host, spec, artifact, { there, signal });
    named.catch(() => {}); // told to who waits for it, when the container is made
    const networks = await room.networks.of(host, spec, signal);
    await volumesReady(host, spec, signal);
    const elsewhere = { ...machineOf(host, networks.first), ...(await accessoriesElsewhere(room, spec, host, signal)) };
    return { host, image, named, networks, elsewhere };
  });
}

/** Volumes of a Compose project are made as docker compose would, so that it takes them for its own; others' have to be there. */
async function volumesReady(host: Host, spec: RevisionSpec, signal: AbortSignal): Promise<void> {
  const labels = environmentLabels(spec.product, spec.environment);
  for (const { name, key } of volumesOf(spec)) {
    if (key === null && (await inspectVolume(host.docker, name, signal)) === null)
      throw new SlipwayError("START_FAILED", {
        message: `host ${host.name}: there is no volume ${name}, and the Compose file says that others make it`,
        hint: `make it: docker volume create ${name}`,
      });
    const { project } = containerOf(spec).composed ?? {};
    const asCompose =
      key == null || project === undefined
        ? {}
        : { "com.docker.compose.project": project, "com.docker.compose.volume": key };
    await createVolume(host.docker, name, { ...labels, ...asCompose }, signal);
  }
}

/**
 * This machine under the name that Docker's desktop programs give it, for what listens here: the edge. The network's own gateway is
 * this machine; where engines run in a virtual machine, the engine knows the way.
 */
function machineOf(host: Host, network: NetworkAt): Record<string, string> {
  if (!host.isLocal) return {};
  return { "host.docker.internal": network.publishAt === "127.0.0.1" ? "host-gateway" : network.publishAt };
}

async function placeOf(
  spec: RevisionSpec,
  {
    hosts,
    present,
    home,
    instances,
    signal,
  }: {
    hosts: readonly Host[];
    present: readonly At[];
    home: string | null;
    instances: number;
    signal: AbortSignal;
  },
) {
  return place(instances, {
    hosts: hosts.map(({ name }) => name),
    // Running ones first: when one index is in two places after a host was away, the living one stays, and of two the younger, which
    // has the requests.
    present: [...present]
      .sort((one, other) => {
        const startedAt = ({ seen }: At): number => seen.container.State.StartedAt ?? 0;
        return Number(isDown(one.seen)) - Number(isDown(other.seen)) || startedAt(other) - startedAt(one);
      })
      .map(({ host, seen }) => ({ index: seen.identity.index, host: host.name })),
    first: home ?? (await homeOfVolumes(spec, hosts, signal)),
    key: `${spec.environment}/${spec.service}`,
  });
}

/** Data do not move, and a fresh volume elsewhere is not the data: while the host that may have them is away, nobody starts without. */
async function mustKnowItsData(
  { fleet }: Room,
  spec: RevisionSpec,
  {
    hosts,
    isThere,
    signal,
  }: { readonly hosts: readonly Host[]; readonly isThere: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const missing = fleet.hosts.filter((host) => !hosts.includes(host)).map(({ name }) => name);
  if (missing.length === 0 || isThere || namedVolumes(spec).length === 0) return;
  if ((await homeOfVolumes(spec, hosts, signal)) !== null) return;
  throw new SlipwayError("HOST_AWAY", {
    message: `${spec.service} writes a volume, which is on no host that answers; it may be on ${missing.join(", ")}, which is away`,
    hint: "bring the host back, or take it out of target.hosts to begin with an empty volume elsewhere",
  });
}

/** The host that has the data. */
async function homeOfVolumes(spec: RevisionSpec, hosts: readonly Host[], signal: AbortSignal): Promise<string | null> {
  const [name] = namedVolumes(spec);
  if (name === undefined) return null;
  const found = await Promise.all(
    hosts.map((host) =>
      host.do(async () => ((await inspectVolume(host.docker, name, signal)) === null ? null : host.name)),
    ),
  );
  return found.find((each) => each !== null) ?? null;
}

/**
 * Names of accessories that run on other hosts and publish a port there under the same number, so that one name and port are right
 * on every host.
 */
async function accessoriesElsewhere(
  room: Room,
  spec: RevisionSpec,
  here: Host,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const host of room.fleet.others(here)) {
    const { address } = host;
    if (address === null) continue;
    const look = host.look({ environment: spec.environment }, signal);
    for (const { identity, container } of await room.fleet.orNothing(look, signal)) {
      const bindings = Object.entries(container.HostConfig.PortBindings);
      const isSamePort = bindings.some(([port, all]) => all.some((each) => `${each.HostPort}/tcp` === port));
      if (identity.mode === "accessory" && isSamePort) found[identity.service] = address;
    }
  }
  return found;
}

async function takeBack(room: Room, spec: RevisionSpec, artifact: ImageArtifact, undo: readonly Undo[]): Promise<void> {
  const signal = AbortSignal.timeout(undoLimitMs + spec.stopGraceMs);
  await Promise.all(
    [...undo].reverse().map(async ({ host, container, by }) => {
      try {
        await host.do(async () => {
          await stopForGood(host, container, spec.stopGraceMs, signal);
          if (by === "removing") await room.removal.byId(host, container, signal);
        });
      } catch (error) {
        room.removal.owe(host, spec.id);
        room.log?.warn("container.left", { host: host.name, revision: spec.id, reason: reasonOf(error) });
      }
    }),
  );
  // Also where only image and network were made ready.
  await room.removal.leftovers(spec, artifact, signal);
}

async function statusOf(room: Room, spec: RevisionSpec, signal: AbortSignal): Promise<RevisionStatus> {
  const { id, product, environment, service, release, configDigest } = spec;
  const looks = await room.fleet.each((host) => host.look({ revision: id }, signal), signal, room.hostsAway);
  return (
    revisionsOf(looks.flat())[0] ?? {
      id,
      product,
      environment,
      service,
      release,
      configDigest,
      wanted: 0,
      instances: [],
    }
  );
}

/** Waits for all, so that nothing goes on behind an undo; then the first failure. */
async function allOrFirstFailure(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** The planner refuses this before anything starts; whoever comes here went past it. */
export function needsImage(spec: Pick<RevisionSpec, "service">): SlipwayError {
  return new SlipwayError("START_FAILED", {
    message: `${spec.service} is a packed directory, and the docker target runs images`,
    hint: "give the service a build, or use the process target in this environment",
  });
}

/** A revision with a host port cannot run twice on one host. */
export function checkHostPorts(
  spec: RevisionSpec,
  { instances, hosts, all = hosts }: { instances: number; hosts: number; all?: number },
): void {
  if (containerOf(spec).hostPorts.length === 0 || instances <= hosts) return;
  const which = all === hosts ? `${hosts} hosts` : `the ${hosts} of ${all} hosts that answer`;
  throw new SlipwayError("PORT_TAKEN", {
    message: `${spec.service} has a port of its own on its host, so at most ${hosts} of its ${instances} instances fit on ${which}`,
    hint: "lower instances, add a host, or leave hostPorts out and route to it by the edge",
  });
}
