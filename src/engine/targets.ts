import { numberOf } from "../core/deploy/course.ts";
import { isSlipwayError, reasonOf, SlipwayError } from "../core/errors/error.ts";
import type { EnvironmentName, EpochMs, InstanceId, RevisionId } from "../core/ids.ts";
import { canonicalJson } from "../core/product/canonical.ts";
import type { TargetSpec } from "../core/product/spec.ts";
import type { Clearing } from "../ports/clearing.ts";
import type { Clock } from "../ports/clock.ts";
import type { HostCondition, HostStatus, Hosts } from "../ports/hosts.ts";
import type { Log } from "../ports/log.ts";
import type { Restarts } from "../ports/restarts.ts";
import type { Session, SessionSpec, Sessions } from "../ports/session.ts";
import type { Stopping } from "../ports/stopping.ts";
import type { Store } from "../ports/store.ts";
import type { LogLine, LogQuery, RevisionSelector, RevisionStatus, Target } from "../ports/target.ts";
import { merged } from "./merged.ts";
import { releaseView } from "./release/read.ts";

/** A target, with what it can besides. */
export type Place = Target &
  Partial<Sessions> &
  Partial<Restarts> &
  Partial<Stopping> &
  Partial<Clearing> &
  Partial<Hosts>;

type Ask = (place: Place) => Promise<readonly RevisionStatus[]>;

type Deps = {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly make: (spec: TargetSpec) => Place;
};

/** What may be asked of all targets at once. */
export type Everywhere = Pick<Target, "observe" | "watch" | "remove" | "logs" | "reach" | "close">;

/** Before a stream of a target that ended is opened again. */
const reopenMs = 1_000;
/** A release waits for it. */
const highestWithinMs = 5_000;

/**
 * All places where revisions of the product live. Each is made when a release's config first names it; what is not about one
 * release is asked of all. A target that is away holds up no other: of its revisions the last that was seen is told.
 */
export class Targets implements Everywhere {
  readonly #deps: Deps;
  readonly #targets = new Map<string, Place>();
  /** The same, by the very object: a resolved config never changes, and is asked for at every look. */
  readonly #bySpec = new WeakMap<TargetSpec, Place>();
  readonly #seen = new Map<Target, { readonly statuses: readonly RevisionStatus[]; readonly at: EpochMs }>();
  /** By target. */
  readonly #highest = new Map<string, number>();
  readonly #opened = new Set<() => void>();
  /** Where instances were found: each is asked for once, and not at each of its probes. */
  readonly #holders = new Map<InstanceId, Place>();
  #found: Promise<void> | null = null;
  #lastTrouble = "";

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The one that a release's config names. */
  of(spec: TargetSpec): Place {
    const same = this.#bySpec.get(spec);
    if (same !== undefined) return same;
    const key = canonicalJson(spec);
    const known = this.#targets.get(key);
    if (known !== undefined) this.#bySpec.set(spec, known);
    if (known !== undefined) return known;
    const target = this.#deps.make(spec);
    this.#targets.set(key, target);
    this.#bySpec.set(spec, target);
    for (const tell of this.#opened) tell();
    return target;
  }

  /**
   * All that hold something: those of revisions made before this process began, and those made since. One whose engines are all
   * among another's is left out: the other tells of them too.
   */
  async inUse(): Promise<readonly Place[]> {
    this.#found ??= this.#find().catch((error: unknown) => {
      this.#found = null;
      throw error;
    });
    await this.#found;
    return [...this.#targets].filter(([key]) => !this.#isCovered(key)).map(([, target]) => target);
  }

  observe(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    return this.#lookAtAll(selector, (target) => target.observe(selector));
  }

  /** For people: as `observe`, and where some machines of a place are away that were never seen, what the others say. */
  present(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    return this.#lookAtAll(selector, (target) => target.present?.(selector) ?? target.observe(selector));
  }

  /** What exists where it has to be stopped: what other places run ends with this machine's supervisor. */
  async stoppable(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    const targets = (await this.inUse()).filter(({ stop }) => stop !== undefined);
    return this.#lookAt(targets, selector, (target) => target.observe(selector));
  }

  /**
   * The highest release number among the product's revisions at these, whoever made them: after a state was lost, or restored from an
   * older copy, there are some of releases that it does not know. Each is asked once in the life of this process, for what comes later is
   * known; one that does not answer within five seconds counts as empty, and is asked again.
   */
  async highestNumber(specs: readonly TargetSpec[]): Promise<number> {
    const byKey = new Map(specs.map((spec) => [canonicalJson(spec), spec]));
    return Math.max(0, ...(await Promise.all([...byKey].map(([key, spec]) => this.#highestAt(key, spec)))));
  }

  async *watch(selector: RevisionSelector, signal: AbortSignal): AsyncIterable<readonly RevisionStatus[]> {
    const newest = new Map<Target, readonly RevisionStatus[]>();
    const streams = (target: Target) => this.#watchOne(target, selector, signal);
    const more = (tell: () => void): (() => void) => {
      this.#opened.add(tell);
      return () => this.#opened.delete(tell);
    };
    const sources = { known: () => this.inUse(), more, streams, endless: true };
    for await (const { source, item } of merged(sources, signal)) {
      newest.set(source, item);
      yield each([...newest.values()].flat());
    }
  }

  /** As `Stopping`, everywhere. */
  async stop(revision: RevisionId, signal: AbortSignal): Promise<void> {
    for (const target of await this.inUse()) await target.stop?.(revision, signal);
  }

  async remove(revision: RevisionId, signal: AbortSignal): Promise<void> {
    for (const instance of this.#holders.keys()) if (revisionOf(instance) === revision) this.#holders.delete(instance);
    for (const target of await this.inUse()) await target.remove(revision, signal);
  }

  /** As `Clearing`: of all that leave something behind. */
  async clear(environment: EnvironmentName, signal: AbortSignal): Promise<void> {
    for (const target of await this.inUse()) await target.clear?.(environment, signal);
  }

  async *logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> {
    const targets = await this.inUse();
    const [only] = targets;
    if (targets.length === 1 && only !== undefined) return yield* only.logs(query, signal);
    const streams = (target: Target) => target.logs(query, signal);
    const sources = { known: async () => targets, more: () => () => {}, streams, endless: false };
    // Two configs may name the same engine, and then both tell of its instances.
    const teller = new Map<InstanceId, Target>();
    for await (const { source, item } of merged(sources, signal)) {
      const first = teller.get(item.instance) ?? source;
      teller.set(item.instance, first);
      if (first === source) yield item;
    }
  }

  /** As `Restarts`. Errors: also RESTART_REFUSED, where the target cannot. */
  async restart(instance: InstanceId, startedAt: EpochMs, signal: AbortSignal): Promise<void> {
    const target = await this.#holding(instance);
    const { restart } = target;
    if (restart !== undefined)
      return this.#at(instance, target, () => restart.call(target, instance, startedAt, signal));
    throw new SlipwayError("RESTART_REFUSED", { message: `the ${target.name} target restarts no single instance` });
  }

  /** The hosts of a release's target, each as who asked it last has seen it. None where it has no hosts to speak of. */
  hosts(spec: TargetSpec): readonly HostStatus[] {
    const all = [...this.#targets.values()].flatMap((target) => target.hosts?.() ?? []);
    return (this.of(spec).hosts?.() ?? []).map((host) => {
      const same = all.filter(({ url }) => url === host.url);
      const newest = same.reduce((best, each) => ((each.askedMs ?? -1) > (best.askedMs ?? -1) ? each : best), host);
      return { ...newest, name: host.name };
    });
  }

  /** As `Hosts`, for all that have it among theirs. */
  giveUp(url: string): void {
    for (const target of this.#targets.values()) target.giveUp?.(url);
  }

  /** As `Hosts`: of all that hold something, each once. */
  async conditions(signal: AbortSignal): Promise<readonly HostCondition[]> {
    const all = await Promise.all((await this.inUse()).map((target) => target.conditions?.(signal) ?? []));
    return [...new Map(all.flat().map((condition) => [condition.url, condition])).values()];
  }

  async session(spec: SessionSpec, at: TargetSpec | null, signal: AbortSignal): Promise<Session> {
    const target =
      "instance" in spec.place ? await this.#holding(spec.place.instance) : at === null ? null : this.of(at);
    if (target === null) throw new Error("a fresh instance has its target");
    if (target.session !== undefined) return target.session(spec, signal);
    throw new SlipwayError("EXEC_FAILED", { message: `the ${target.name} target runs no commands by hand` });
  }

  async reach(instance: InstanceId, signal: AbortSignal): Promise<string> {
    const target = await this.#holding(instance);
    return this.#at(instance, target, () => target.reach(instance, signal));
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#targets.values()].map((target) => target.close()));
  }

  #isCovered(key: string): boolean {
    if (this.#targets.size === 1) return false;
    const mine = enginesOf(key);
    const keys = [...this.#targets.keys()];
    return keys.some((other, index) => {
      if (other === key) return false;
      const theirs = enginesOf(other);
      if (mine.length === 0 || !mine.every((engine) => theirs.includes(engine))) return false;
      return theirs.length > mine.length || index > keys.indexOf(key);
    });
  }

  async #find(): Promise<void> {
    const { db } = this.#deps.store;
    const rows = await db
      .selectFrom("revision")
      .select(["release_id", "environment"])
      .distinct()
      .where("role", "!=", "removed")
      .execute();
    for (const row of rows) this.of((await releaseView(db, row.release_id, row.environment)).spec.target);
  }

  async #highestAt(key: string, spec: TargetSpec): Promise<number> {
    const asked = this.#highest.get(key);
    if (asked !== undefined) return asked;
    const known = this.#targets.get(key);
    // Where nothing of ours is yet, nothing is to be looked at by all others.
    const target = known ?? this.#deps.make(spec);
    const over = new AbortController();
    try {
      const late = this.#deps.clock.sleep(highestWithinMs, over.signal).then((): readonly RevisionStatus[] => {
        throw new Error(`no answer within ${highestWithinMs} ms`);
      });
      late.catch(() => {});
      const statuses = await Promise.race([target.present?.({}) ?? target.observe({}), late]);
      const highest = Math.max(0, ...statuses.map(({ id }) => numberOf(id)));
      // A machine that is away may have a higher one.
      if (target.hosts?.().every(({ awayForMs }) => awayForMs === null) ?? true) this.#highest.set(key, highest);
      return highest;
    } catch (error) {
      this.#complain(target, error);
      return 0;
    } finally {
      over.abort();
      if (known === undefined) await target.close();
    }
  }

  async #lookAtAll(selector: RevisionSelector, ask: Ask): Promise<readonly RevisionStatus[]> {
    return this.#lookAt(await this.inUse(), selector, ask);
  }

  async #lookAt(targets: readonly Place[], selector: RevisionSelector, ask: Ask): Promise<readonly RevisionStatus[]> {
    const isOnly = targets.length === 1;
    return each((await Promise.all(targets.map((target) => this.#look(target, selector, { ask, isOnly })))).flat());
  }

  async #look(
    target: Place,
    selector: RevisionSelector,
    { ask, isOnly }: { readonly ask: Ask; readonly isOnly: boolean },
  ): Promise<readonly RevisionStatus[]> {
    try {
      const statuses = await ask(target);
      this.#remember(target, selector, statuses);
      this.#lastTrouble = "";
      return statuses;
    } catch (error) {
      const seen = this.#seen.get(target);
      // Of the only one in use, that has never answered, there is nothing to tell: whoever asks should hear why, and must not take it for
      // empty. Others may be known, which are all among its hosts.
      if (seen === undefined && isOnly) throw error;
      this.#complain(target, error);
      if (seen === undefined) return [];
      return asLastSeen(seen).filter((status) => isSelected(status, selector));
    }
  }

  /** For when it is away: what was started since the last look is not to be forgotten then. */
  #remember(target: Target, selector: RevisionSelector, statuses: readonly RevisionStatus[]): void {
    if (Object.keys(selector).length === 0) this.#seen.set(target, { statuses, at: this.#deps.clock.now() });
  }

  async *#watchOne(
    target: Target,
    selector: RevisionSelector,
    signal: AbortSignal,
  ): AsyncIterable<readonly RevisionStatus[]> {
    while (!signal.aborted) {
      try {
        for await (const statuses of target.watch(selector, signal)) {
          this.#remember(target, selector, statuses);
          yield statuses;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (this.#targets.size === 1) throw error;
        this.#complain(target, error);
      }
      await this.#deps.clock.sleep(reopenMs, signal).catch(() => {});
    }
  }

  async #holding(instance: InstanceId): Promise<Place> {
    const targets = await this.inUse();
    const [only] = targets;
    if (targets.length === 1 && only !== undefined) return only;
    const known = this.#holders.get(instance);
    if (known !== undefined && targets.includes(known)) return known;
    const revision = revisionOf(instance);
    for (const target of targets) {
      const selector = { revision };
      const ask = (each: Place) => each.observe(selector);
      const statuses = await this.#look(target, selector, { ask, isOnly: false });
      // Two may know of the revision, such as before and after a host was added, and only one of this instance.
      if (!statuses.some(({ instances }) => instances.some(({ id }) => id === instance))) continue;
      this.#holders.set(instance, target);
      return target;
    }
    throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
  }

  /** Where it is not any more, it is looked for the next time. */
  async #at<T>(instance: InstanceId, place: Place, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isSlipwayError(error) && error.code === "INSTANCE_NOT_FOUND" && this.#holders.get(instance) === place)
        this.#holders.delete(instance);
      throw error;
    }
  }

  /** The same trouble again is not news. */
  #complain(target: Target, error: unknown): void {
    const reason = reasonOf(error);
    if (`${target.name} ${reason}` === this.#lastTrouble) return;
    this.#lastTrouble = `${target.name} ${reason}`;
    this.#deps.log.warn("target.away", { target: target.name, reason });
  }
}

const revisionOf = (instance: InstanceId): RevisionId => instance.slice(0, instance.lastIndexOf(".")) as RevisionId;

/** Of what `of` knows a target by. A target of processes has none: there is one on this machine. */
function enginesOf(key: string): readonly string[] {
  const spec = JSON.parse(key) as TargetSpec;
  return spec.driver === "docker" ? spec.hosts.map(({ url }) => url) : [];
}

/**
 * Two configs of one product may name the same engine, such as before and after a host was added: both see what runs there, and the
 * one with more of a revision sees more of it.
 */
function each(all: readonly RevisionStatus[]): readonly RevisionStatus[] {
  const found = new Map<RevisionId, RevisionStatus>();
  for (const status of all) {
    const known = found.get(status.id);
    if (known === undefined || status.instances.length > known.instances.length) found.set(status.id, status);
  }
  return [...found.values()];
}

/** Of a place that is away, nobody knows more. */
function asLastSeen({
  statuses,
  at,
}: {
  readonly statuses: readonly RevisionStatus[];
  readonly at: EpochMs;
}): readonly RevisionStatus[] {
  return statuses.map((status) => ({
    ...status,
    // What was away already then was seen before.
    instances: status.instances.map((instance) => ({ ...instance, lastSeen: instance.lastSeen ?? at })),
  }));
}

function isSelected(status: RevisionStatus, { environment, service, revision }: RevisionSelector): boolean {
  return (
    (environment === undefined || status.environment === environment) &&
    (service === undefined || status.service === service) &&
    (revision === undefined || status.id === revision)
  );
}
