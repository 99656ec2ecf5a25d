import type { RevisionId } from "../../../core/ids.ts";
import { ipSet } from "../../../lib/ip.ts";
import type { EdgeConfig, EdgeCounters, Route, RoutedService, RouteTable } from "../../../ports/edge.ts";
import { answerNames } from "./answer-head.ts";
import type { CompiledRoute, CompiledTable, ListenerRoutes, OptIn, Policy, Service, Side } from "./compiled.ts";
import { compileCors } from "./cors.ts";
import type { RatesTold } from "./messages.ts";
import { RateLimiter } from "./rate-limit.ts";
import { Revision } from "./revision.ts";
import { Upstream } from "./upstream.ts";

/** Revisions that left the table are remembered so many at a time, so that their last counts are still read. */
const rememberedRevisions = 100;

/** What outlives a table: connections to instances, counts of revisions, what clients have used of their limits. */
export class Workshop {
  #upstreams = new Map<string, Upstream>();
  #limiters = new Map<string, RateLimiter>();
  readonly #revisions = new Map<RevisionId, Revision>();
  #limits: EdgeConfig["limits"];

  constructor(limits: EdgeConfig["limits"]) {
    this.#limits = limits;
  }

  /** A table ready for requests. Connections to instances that it no longer names end with their last request. */
  compile(table: RouteTable): CompiledTable {
    const upstreams = new Map<string, Upstream>();
    const limiters = new Map<string, RateLimiter>();
    const services = new Map<string, Service>();
    for (const [name, service] of Object.entries(table.services))
      services.set(name, this.#service(name, service, upstreams));
    const listeners = new Map<string, ListenerRoutes>();
    for (const name of new Set(table.routes.map((route) => route.listener))) {
      const routes = table.routes.filter((route) => route.listener === name);
      listeners.set(name, this.#listener(routes, services, limiters));
    }
    const left = [...this.#upstreams.values()].filter((upstream) => !upstreams.has(upstream.key));
    for (const upstream of left) upstream.close();
    this.#upstreams = upstreams;
    this.#tell(services, left);
    this.#limiters = limiters;
    this.#forget(table);
    return { generation: table.generation, listeners, services };
  }

  limit(limits: EdgeConfig["limits"]): void {
    this.#limits = limits;
    for (const upstream of this.#upstreams.values()) upstream.limit(limits);
  }

  revision(id: RevisionId): Revision {
    const known = this.#revisions.get(id) ?? new Revision(id);
    this.#revisions.set(id, known);
    return known;
  }

  counts(): Record<string, EdgeCounters> {
    const counts: Record<string, EdgeCounters> = {};
    for (const [id, revision] of this.#revisions) counts[id] = revision.counts;
    return counts;
  }

  /** What clients have used since the last call; null when there is nothing to tell the other workers. */
  tellRates(): RatesTold | null {
    let told: Record<string, [string, number][]> | null = null;
    for (const [key, limiter] of this.#limiters) {
      const used = limiter.tell();
      if (used === null) continue;
      told ??= {};
      told[key] = used;
    }
    return told;
  }

  hearRates(told: RatesTold, nowMs: number): void {
    for (const [key, used] of Object.entries(told)) this.#limiters.get(key)?.heard(used, nowMs);
  }

  #service(name: string, service: RoutedService, upstreams: Map<string, Upstream>): Service {
    const weighted: Side[] = [];
    const fallbacks: Side[] = [];
    let bucket = 0;
    for (const target of service.targets) {
      bucket += target.weight;
      const revision = this.revision(target.revision);
      const side: Side = {
        release: target.release,
        revision,
        untilBucket: bucket,
        upstreams: target.instances.map(({ id, address }) => this.#upstream(id, address, revision, upstreams)),
      };
      if (target.weight > 0) weighted.push(side);
      if (target.fallback) fallbacks.push(side);
    }
    const { sticky, optIn } = service;
    return {
      name,
      mode: service.mode,
      weighted,
      fallbacks,
      sticky:
        sticky === null
          ? null
          : "cookie" in sticky
            ? { cookie: sticky.cookie, find: `${sticky.cookie}=` }
            : { header: sticky.header.toLowerCase() },
      optIn: optIn === undefined ? null : compileOptIn(optIn),
    };
  }

  #tell(services: ReadonlyMap<string, Service>, left: readonly Upstream[]): void {
    const shared = new Set([...services.values()].flatMap((service) => service.weighted.map((side) => side.revision)));
    for (const revision of this.#revisions.values()) {
      revision.routed(
        shared.has(revision),
        left.filter((upstream) => upstream.revision === revision),
      );
    }
  }

  /** The same instance at the same address keeps its connections; a new one at an old address must not inherit them. */
  #upstream(instance: string, address: string, revision: Revision, upstreams: Map<string, Upstream>): Upstream {
    const key = `${revision.id} ${instance} ${address}`;
    const upstream =
      upstreams.get(key) ??
      this.#upstreams.get(key) ??
      new Upstream({ key, instance, address }, revision, this.#limits);
    upstreams.set(key, upstream);
    return upstream;
  }

  #listener(
    routes: readonly Route[],
    services: ReadonlyMap<string, Service>,
    limiters: Map<string, RateLimiter>,
  ): ListenerRoutes {
    const hosts = new Map<string, CompiledRoute[]>();
    const anyHost: CompiledRoute[] = [];
    const redirects = new Map<string, { to: string; policy: Policy }>();
    const longestFirst = [...routes].sort((a, b) => b.pathPrefix.length - a.pathPrefix.length);
    for (const route of longestFirst) {
      const service = services.get(route.service);
      if (service === undefined) continue;
      const policy = this.#policy(route, limiters);
      const prefix = route.pathPrefix.replace(/\/+$/, "");
      const compiled = { prefix, strip: route.strip, service, policy };
      if (route.host === null) anyHost.push(compiled);
      else hosts.set(route.host, [...(hosts.get(route.host) ?? []), compiled]);
      for (const [from, to] of Object.entries(route.policy.redirectHosts)) redirects.set(from, { to, policy });
    }
    return { hosts, anyHost, redirects };
  }

  #policy({ listener, host, pathPrefix, policy }: Route, limiters: Map<string, RateLimiter>): Policy {
    const { rateLimit } = policy;
    let limiter: Policy["limiter"] = null;
    if (rateLimit !== null) {
      // The same limit of the same route goes on counting where it was.
      const key = `${listener} ${host ?? "*"}${pathPrefix} ${rateLimit.requests}/${rateLimit.perMs}`;
      const rate = this.#limiters.get(key) ?? new RateLimiter(rateLimit.requests, rateLimit.perMs);
      limiters.set(key, rate);
      limiter = { limit: String(rateLimit.requests), rate };
    }
    const answers = answerNames(policy.headers);
    const plain = Object.entries(policy.headers).filter(([name]) => name.toLowerCase() !== "strict-transport-security");
    const same = plain.length === Object.keys(policy.headers).length;
    return {
      redirectToHttps: policy.redirectToHttps,
      guards: policy.allowLists.map(({ prefix, allow }) => ({
        prefix: prefix.toLowerCase().replace(/\/+$/, ""),
        allowed: ipSet(allow),
      })),
      limiter,
      cors: policy.cors === null ? null : compileCors(policy.cors),
      bodyBytes: policy.bodyBytes,
      answers,
      plainAnswers: same ? answers : answerNames(Object.fromEntries(plain)),
    };
  }

  #forget(table: RouteTable): void {
    const named = new Set(
      Object.values(table.services).flatMap(({ targets }) => targets.map(({ revision }) => revision)),
    );
    const past = [...this.#revisions.values()].filter((revision) => !named.has(revision.id));
    for (const revision of past.slice(0, Math.max(0, past.length - rememberedRevisions)))
      if (revision.counts.inflight === 0 && revision.streams.size === 0) this.#revisions.delete(revision.id);
  }
}

function compileOptIn({ candidate, stable, ...by }: NonNullable<RoutedService["optIn"]>): OptIn {
  return { ...("cookie" in by ? { find: `${by.cookie}=` } : { header: by.header.toLowerCase() }), candidate, stable };
}
