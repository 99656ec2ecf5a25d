import type { RevisionId } from "../../../core/ids.ts";
import { latencyBoundsMs } from "../../../core/metric/latency.ts";
import type { EdgeCounters, EdgeSample, RouteTable } from "../../../ports/edge.ts";
import { serviceFolder } from "./paths.ts";
import { slotsOf } from "./slots.ts";

/** Revisions that left the table are remembered so many at a time, so that their last counts are still read. */
const rememberedRevisions = 100;

type Counts = { -readonly [K in keyof EdgeCounters]: EdgeCounters[K] } & {
  byClass: [number, number, number, number, number];
  latency: number[];
};

/** One line of Caddy's log, as `config/logs.ts` has it written. Everything may be missing: it comes over a network. */
type Line = {
  readonly logger?: unknown;
  readonly status?: unknown;
  readonly duration?: unknown;
  /** Where the first try went, how long its answer took, and why it failed. */
  readonly up?: unknown;
  readonly ms?: unknown;
  readonly why?: unknown;
  /** The same of the last of the spare ones. */
  readonly up2?: unknown;
  readonly ms2?: unknown;
  /** Of the edge's own page. */
  readonly code?: unknown;
  readonly upstream?: unknown;
  readonly error?: unknown;
  readonly level?: unknown;
  readonly msg?: unknown;
  readonly identifier?: unknown;
};

/**
 * Counts requests by revision from Caddy's log. Caddy knows addresses, tables say whose they are: an address belongs to the
 * revision that had it last. A request is counted when it has ended, so a WebSocket counts at its end.
 *
 * A request whose first try failed counts against that revision; when it then went through several spare instances, only the
 * last is known, and the failures between are not counted.
 */
export class LogCounts {
  readonly #revisions = new Map<RevisionId, Counts>();
  readonly #owners = new Map<string, RevisionId>();
  #slots = new Map<string, string>();
  #generation = 0;
  #unrouted = 0;
  readonly #troubles = new Map<string, string>();

  /** To be told before Caddy is: what it then logs finds its owner. */
  routed(table: RouteTable): void {
    this.#generation = table.generation;
    this.#slots = new Map();
    const named = new Set<RevisionId>();
    for (const [name, service] of Object.entries(table.services)) {
      for (const { revision, instances } of service.targets) {
        named.add(revision);
        this.#of(revision);
        for (const { address } of instances) this.#owners.set(address, revision);
      }
      const slots = slotsOf(service);
      for (const [index, address] of slots.first.entries()) this.#slots.set(`${serviceFolder(name)}/${index}`, address);
      for (const [index, address] of slots.spare.entries())
        this.#slots.set(`${serviceFolder(name)}/spare-${index}`, address);
    }
    this.#forget(named);
  }

  /** A line that is no event of ours changes nothing. */
  line(text: string): void {
    const line = parse(text);
    if (line === null || typeof line.logger !== "string") return;
    if (line.logger.startsWith("http.log.access")) this.#request(line);
    else if (line.logger === "http.handlers.reverse_proxy") this.#brokenOff(line);
    else if (line.logger.startsWith("tls.")) this.#certificate(line);
  }

  /** Why the newest attempt to get or renew a certificate failed, by name. */
  get troubles(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#troubles);
  }

  /** What has been counted until now: a reader may keep it, to tell later what came since. */
  sample(at: number, underWay: ReadonlyMap<string | null, number>): EdgeSample {
    const revisions: Record<RevisionId, EdgeCounters> = {};
    for (const [id, counts] of this.#revisions) revisions[id] = { ...structuredClone(counts), inflight: 0 };
    for (const [address, inflight] of underWay) {
      const owner = address === null ? undefined : this.#owners.get(address);
      const counts = owner === undefined ? undefined : revisions[owner];
      if (owner !== undefined && counts !== undefined)
        revisions[owner] = { ...counts, inflight: counts.inflight + inflight };
    }
    return { at, generation: this.#generation, revisions, unrouted: this.#unrouted };
  }

  #request(line: Line): void {
    const status = typeof line.status === "number" ? line.status : 0;
    const first = this.#owner(line.up);
    const second = this.#owner(line.up2);
    const why = typeof line.why === "string" ? line.why : "";
    if (first !== null && why !== "" && isServices(why)) {
      if (/^50[24] dial /.test(why)) first.connectErrors += 1;
      else first.upstreamErrors += 1;
    }
    const answered = second ?? first;
    if (answered === null || (why !== "" && second === null && !isServices(why) && !hasLeft(status))) {
      this.#unrouted += 1;
      return;
    }
    if (hasLeft(status)) {
      answered.clientAborts += 1;
      return;
    }
    answered.requests += 1;
    const kind = Math.min(4, Math.max(0, Math.floor(status / 100) - 1)) as 0 | 1 | 2 | 3 | 4;
    answered.byClass[kind] += 1;
    const firstByteMs = numberIn(second === null ? line.ms : line.ms2) ?? 1000 * (numberIn(line.duration) ?? 0);
    const bucket = latencyBoundsMs.findIndex((bound) => firstByteMs <= bound);
    const at = bucket === -1 ? latencyBoundsMs.length : bucket;
    answered.latency[at] = (answered.latency[at] ?? 0) + 1;
  }

  /** The answer had begun and did not come to its end. The request's own line no longer says where it went; the slot does. */
  #brokenOff(line: Line): void {
    if (line.msg !== "aborting with incomplete response" || typeof line.upstream !== "string") return;
    const slot = /\/(s-[0-9a-f]+\/[a-z0-9-]+)\}$/.exec(line.upstream)?.[1];
    const counts = this.#owner(slot === undefined ? null : this.#slots.get(slot));
    if (counts === null) return;
    if (
      /context canceled|write tcp|broken pipe|client disconnected|H3_|stream (?:error|closed)/.test(String(line.error))
    )
      counts.clientAborts += 1;
    else counts.upstreamErrors += 1;
  }

  #certificate({ level, msg, error, identifier }: Line): void {
    if (typeof identifier !== "string") return;
    const said = `${typeof msg === "string" ? msg : ""}${typeof error === "string" ? `: ${error}` : ""}`.slice(0, 500);
    if (level === "error" || level === "warn") this.#troubles.set(identifier, said);
    else if (/obtained successfully|renewed successfully/.test(said)) this.#troubles.delete(identifier);
  }

  #owner(address: unknown): Counts | null {
    const revision = typeof address === "string" ? this.#owners.get(address) : undefined;
    return revision === undefined ? null : this.#of(revision);
  }

  #of(revision: RevisionId): Counts {
    const known = this.#revisions.get(revision);
    if (known !== undefined) return known;
    const counts: Counts = {
      requests: 0,
      byClass: [0, 0, 0, 0, 0],
      connectErrors: 0,
      upstreamErrors: 0,
      clientAborts: 0,
      inflight: 0,
      webSockets: 0,
      latency: Array<number>(latencyBoundsMs.length + 1).fill(0),
    };
    this.#revisions.set(revision, counts);
    return counts;
  }

  #forget(named: ReadonlySet<RevisionId>): void {
    const past = [...this.#revisions.keys()].filter((revision) => !named.has(revision));
    const gone = new Set(past.slice(0, Math.max(0, past.length - rememberedRevisions)));
    for (const revision of gone) this.#revisions.delete(revision);
    for (const [address, owner] of this.#owners) if (gone.has(owner)) this.#owners.delete(address);
  }
}

/** False for what the client did: it left, or sent more than is allowed. */
function isServices(why: string): boolean {
  return /^50\d /.test(why) && !why.includes("request body too large");
}

/** Caddy 2.11 and older end the request of a client that has left without a status. */
function hasLeft(status: number): boolean {
  return status === 499 || status === 0;
}

function numberIn(value: unknown): number | null {
  if (typeof value !== "number" && (typeof value !== "string" || value === "")) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function parse(text: string): Line | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}
