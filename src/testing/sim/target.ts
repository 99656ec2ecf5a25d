import { SlipwayError } from "../../core/errors/error.ts";
import type { Digest, EnvironmentName, RevisionId, ServiceName } from "../../core/ids.ts";
import type { Hosts } from "../../ports/hosts.ts";
import type { Restarts } from "../../ports/restarts.ts";
import type { HostsAway, RevisionSelector, RevisionStatus, Target, TargetCan } from "../../ports/target.ts";
import { type Life, never } from "./life.ts";
import { LostHostsSeen } from "./lost.ts";
import type { Machine, Revision } from "./machine.ts";
import { sleepersOf, type Timeline } from "./timeline.ts";

/**
 * What a place does to whoever asks it. `away`: every call fails. `hang`: nothing is answered while it lasts. `refuse`: nothing
 * can be started. `lie`: it tells what was a while ago, and says that it has started what it has not.
 */
export type TargetTrouble = "away" | "hang" | "refuse" | "lie" | null;

export type SimPlace = {
  readonly machine: Machine;
  readonly timeline: Timeline;
  readonly has: (digest: Digest) => boolean;
  /** Changed by `afflict` only, so that those who wait hear of it. */
  trouble: TargetTrouble;
  readonly onTrouble: Set<() => void>;
  /** What is told while it lies. */
  told: readonly RevisionStatus[];
};

export function makePlace(parts: Pick<SimPlace, "machine" | "timeline" | "has">): SimPlace {
  return { ...parts, trouble: null, onTrouble: new Set(), told: [] };
}

export function afflict(place: SimPlace, trouble: TargetTrouble): void {
  place.trouble = trouble;
  if (trouble === "lie") place.told = observed(place, {});
  for (const tell of [...place.onTrouble]) tell();
}

const can: TargetCan = {
  jobs: true,
  warm: true,
  endsWithMachine: false,
  memoryLimit: false,
  cpuLimit: false,
  artifacts: ["directory", "image"],
  accessories: true,
  volumes: true,
};

/** Of a call and its answer. */
const roundTripMs = 1;

/** The target driver of one control plane in the world, for one product. */
export function simTarget(place: SimPlace, life: Life, product: string): Target & Restarts & Hosts {
  const { machine, timeline } = place;
  const lost = new LostHostsSeen(place);
  const call = <T>(signal: AbortSignal | null, work: () => T | Promise<T>): Promise<T> =>
    life.call(async () => {
      signal?.throwIfAborted();
      await timeline.wait(roundTripMs);
      while (place.trouble === "hang") await abortable(nextTrouble(place), signal);
      if (place.trouble === "away") throw away();
      lost.look();
      return abortable(Promise.resolve(work()), signal);
    });
  const own = (id: RevisionId): Revision | undefined => {
    const revision = machine.revisions.get(id);
    return revision?.spec.product === product ? revision : undefined;
  };
  return {
    name: "simulated",
    can,
    ensure: (spec, instances, signal, hostsAway?: HostsAway) =>
      call(signal, async () => {
        if (own(spec.id) === undefined) {
          mustBeThere(place, spec);
          // None of what is not there is a preparation: it brings what a start needs, and starts nothing.
          if (instances === 0) return pretended(place, spec, 0);
        }
        if (place.trouble === "refuse" && instances > (own(spec.id)?.wanted ?? 0)) {
          machine.refuse(spec.id);
          throw refused(spec.id);
        }
        if (place.trouble === "lie" && instances > 0) return pretended(place, spec, instances);
        const leftOut = lost.leftOut(hostsAway);
        const there = lost.seen(own(spec.id))?.wanted ?? 0;
        if (instances > there && lost.someAway(leftOut)) throw away();
        const { losses } = machine;
        const status = await machine.ensure(spec, instances, leftOut);
        if (machine.losses !== losses) throw away();
        return status;
      }),
    observe: (selector) =>
      call(null, () => {
        if (lost.isUnseen()) throw away();
        const all = place.trouble === "lie" ? place.told : observed(place, {}).map((status) => lost.asSeen(status));
        return all.filter((status) => status.product === product && isSelected(status, selector));
      }),
    async *watch(selector, signal) {
      let news = true;
      let wake = (): void => {};
      const tell = (): void => {
        news = true;
        wake();
      };
      const ends = [machine.watch(tell), onTrouble(place, tell)];
      life.onDeath(() => {
        for (const end of ends) end();
      });
      signal.addEventListener("abort", tell, { once: true });
      try {
        for (;;) {
          if (!news)
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          news = false;
          if (!life.touch()) await never();
          if (signal.aborted) return;
          if (place.trouble === "away") throw away();
          // One that hangs or lies has nothing new to say.
          if (place.trouble !== null && place.trouble !== "refuse") continue;
          yield observed(place, selector)
            .filter((status) => status.product === product)
            .map((status) => lost.asSeen(status));
        }
      } finally {
        for (const end of ends) end();
        signal.removeEventListener("abort", tell);
      }
    },
    remove: (id, signal) =>
      call(signal, async () => {
        if (own(id) !== undefined) await machine.remove(id);
      }),
    async *logs({ revision, tail }, _signal) {
      const lines = await call(null, () => (revision === undefined ? [] : machine.linesOf(revision, product)));
      yield* lines.slice(-(tail ?? lines.length));
    },
    reach: (instance, signal) =>
      call(signal, () => {
        for (const { instances, spec } of machine.revisions.values())
          for (const each of instances.values())
            if (each.id === instance && spec.product === product) return each.address;
        throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
      }),
    restart: (instance, startedAt, signal) =>
      call(signal, () => {
        for (const { instances, spec } of machine.revisions.values())
          for (const each of instances.values())
            if (each.id === instance && spec.product === product) {
              if (machine.isLost(each.host)) throw away();
              return machine.restart(each, startedAt);
            }
        throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
      }),
    hosts: () => lost.hosts(),
    giveUp: (url) => lost.giveUp(url),
    present: async () => observed(place, {}).map((status) => lost.asSeen(status)),
    conditions: async () => [],
    close: async () => {},
  };
}

function observed(place: SimPlace, selector: RevisionSelector): RevisionStatus[] {
  const all = [...place.machine.revisions.values()].map((revision) => place.machine.statusOf(revision));
  return all.filter((status) => isSelected(status, selector));
}

function isSelected(
  status: { readonly environment: EnvironmentName; readonly service: ServiceName; readonly id: RevisionId },
  { environment, service, revision }: RevisionSelector,
): boolean {
  return (
    (environment === undefined || status.environment === environment) &&
    (service === undefined || status.service === service) &&
    (revision === undefined || status.id === revision)
  );
}

function mustBeThere(place: SimPlace, { artifact, id }: Parameters<Target["ensure"]>[0]): void {
  if (place.has(artifact.digest)) return;
  throw new SlipwayError(artifact.kind === "image" ? "IMAGE_MISSING" : "ARTIFACT_MISSING", {
    message: `${artifact.digest.slice(0, 19)}… of ${id} is not there`,
  });
}

/** Says how it would be, and starts nothing. */
function pretended(place: SimPlace, spec: Parameters<Target["ensure"]>[0], wanted: number): RevisionStatus {
  const known = place.told.find(({ id }) => id === spec.id);
  const { id, product, environment, service, release, configDigest } = spec;
  return known ?? { id, product, environment, service, release, configDigest, wanted, instances: [] };
}

function onTrouble(place: SimPlace, tell: () => void): () => void {
  place.onTrouble.add(tell);
  return () => void place.onTrouble.delete(tell);
}

function nextTrouble(place: SimPlace): Promise<void> {
  return new Promise((resolve) => {
    const end = onTrouble(place, () => {
      end();
      resolve();
    });
  });
}

/** What is under way goes on; the caller hears no more of it. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (signal === null) return work;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const waiting = sleepersOf(signal);
    const abort = (): void => reject(signal.reason);
    waiting.add(abort);
    const over = (): void => void waiting.delete(abort);
    work.then(over, over);
    work.then(resolve, reject);
  });
}

function away(): SlipwayError {
  return new SlipwayError("HOST_AWAY", { message: "the simulated hosts do not answer" });
}

function refused(id: RevisionId): SlipwayError {
  return new SlipwayError("START_FAILED", { message: `${id} could not be started: the simulated host refuses` });
}
