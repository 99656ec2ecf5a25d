import { reasonOf, SlipwayError } from "../core/errors/error.ts";
import type { EnvironmentName, EpochMs, InstanceId, RevisionId } from "../core/ids.ts";
import { canonicalJson } from "../core/product/canonical.ts";
import type { TargetSpec } from "../core/product/spec.ts";
import type { Clearing } from "../ports/clearing.ts";
import type { Clock } from "../ports/clock.ts";
import type { HostStatus, Hosts } from "../ports/hosts.ts";
import type { Log } from "../ports/log.ts";
import type { Restarts } from "../ports/restarts.ts";
import type { Session, SessionSpec, Sessions } from "../ports/session.ts";
import type { Store } from "../ports/store.ts";
import type { LogLine, LogQuery, RevisionSelector, RevisionStatus, Target } from "../ports/target.ts";
import { merged } from "./merged.ts";
import { releaseView } from "./release/read.ts";

/** A target, with what it can besides. */
export type Place = Target & Partial<Sessions> & Partial<Restarts> & Partial<Clearing> & Partial<Hosts>;

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

/**
 * All places where revisions of the product live. Each is made when a release's config first names it; what is not about one
 * release is asked of all. A target that is away holds up no other: of its revisions the last that was seen is told.
 */
export class Targets implements Everywhere {
  readonly #deps: Deps;
  readonly #targets = new Map<string, Place>();
  readonly #seen = new Map<Target, { readonly statuses: readonly RevisionStatus[]; readonly at: EpochMs }>();
  readonly #opened = new Set<() => void>();
  #found: Promise<void> | null = null;
  #lastTrouble = "";

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The one that a release's config names. */
  of(spec: TargetSpec): Place {
    const key = canonicalJson(spec);
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    const target = this.#deps.make(spec);
    this.#targets.set(key, target);
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

  async observe(selector: RevisionSelector): Promise<readonly RevisionStatus[]> {
    const targets = await this.inUse();
    const found = await Promise.all(
      targets.map((target) => this.#look(target, selector, { isOnly: targets.length === 1 })),
    );
    return each(found.flat());
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

  async remove(revision: RevisionId, signal: AbortSignal): Promise<void> {
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
    if (target.restart !== undefined) return target.restart(instance, startedAt, signal);
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

  async session(spec: SessionSpec, at: TargetSpec | null, signal: AbortSignal): Promise<Session> {
    const target =
      "instance" in spec.place ? await this.#holding(spec.place.instance) : at === null ? null : this.of(at);
    if (target === null) throw new Error("a fresh instance has its target");
    if (target.session !== undefined) return target.session(spec, signal);
    throw new SlipwayError("EXEC_FAILED", { message: `the ${target.name} target runs no commands by hand` });
  }

  async reach(instance: InstanceId, signal: AbortSignal): Promise<string> {
    return (await this.#holding(instance)).reach(instance, signal);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#targets.values()].map((target) => target.close()));
  }

  #isCovered(key: string): boolean {
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

  async #look(
    target: Target,
    selector: RevisionSelector,
    { isOnly }: { readonly isOnly: boolean },
  ): Promise<readonly RevisionStatus[]> {
    try {
      const statuses = await target.observe(selector);
      if (Object.keys(selector).length === 0) this.#seen.set(target, { statuses, at: this.#deps.clock.now() });
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

  async *#watchOne(
    target: Target,
    selector: RevisionSelector,
    signal: AbortSignal,
  ): AsyncIterable<readonly RevisionStatus[]> {
    while (!signal.aborted) {
      try {
        yield* target.watch(selector, signal);
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
    const revision = instance.slice(0, instance.lastIndexOf(".")) as RevisionId;
    for (const target of targets) {
      const statuses = targets.length === 1 ? null : await this.#look(target, { revision }, { isOnly: false });
      if (statuses === null || statuses.some((status) => status.id === revision)) return target;
    }
    throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
  }

  /** The same trouble again is not news. */
  #complain(target: Target, error: unknown): void {
    const reason = reasonOf(error);
    if (`${target.name} ${reason}` === this.#lastTrouble) return;
    this.#lastTrouble = `${target.name} ${reason}`;
    this.#deps.log.warn("target.away", { target: target.name, reason });
  }
}

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
    instances: status.instances.map((instance) => ({ ...instance, lastSeen: at })),
  }));
}

function isSelected(status: RevisionStatus, { environment, service, revision }: RevisionSelector): boolean {
  return (
    (environment === undefined || status.environment === environment) &&
    (service === undefined || status.service === service) &&
    (revision === undefined || status.id === revision)
  );
}
