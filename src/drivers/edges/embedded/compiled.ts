import type { ReleaseId } from "../../../core/ids.ts";
import type { IpSet } from "../../../lib/ip.ts";
import type { RoutedService } from "../../../ports/edge.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { Revision } from "./revision.ts";
import type { Upstream } from "./upstream.ts";

/** A route table as a request needs it: everything looked up, parsed and spelled once, when the table is applied. */
export type CompiledTable = {
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, ListenerRoutes>;
  readonly services: ReadonlyMap<string, Service>;
};

export type ListenerRoutes = {
  readonly hosts: ReadonlyMap<string, readonly CompiledRoute[]>;
  /** Routes of any host, asked when no route of the request's own host matches. */
  readonly anyHost: readonly CompiledRoute[];
  /** `www.example.org` → `example.org` and the policy that says so. */
  readonly redirects: ReadonlyMap<string, { readonly to: string; readonly policy: Policy }>;
};

/** Sorted longest prefix first. `prefix` has no slash at its end: the root is the empty text. */
export type CompiledRoute = {
  readonly prefix: string;
  readonly strip: boolean;
  readonly service: Service;
  readonly policy: Policy;
};

export type Policy = {
  readonly redirectToHttps: boolean;
  readonly guards: readonly { readonly prefix: string; readonly allowed: IpSet }[];
  readonly limiter: { readonly limit: string; readonly rate: RateLimiter } | null;
  readonly cors: Cors | null;
  readonly bodyBytes: number | null;
  readonly answers: AnswerNames;
  /** Of requests that did not come over TLS. */
  readonly plainAnswers: AnswerNames;
};

export type Cors = {
  readonly origins: ReadonlySet<string>;
  readonly anyOrigin: boolean;
  readonly methods: string;
  readonly headers: string;
  readonly credentials: boolean;
  readonly maxAge: string;
};

/** What is done about each header of an answer by its name, and what is added when the service did not send it. */
export type AnswerNames = {
  readonly kindOf: (name: string) => number;
  /** What `kindOf` has said before, by the spelling of the service. */
  readonly seen: ReadonlyMap<string, number>;
  /** Header lines, one a default, and all of them in one. */
  readonly defaults: readonly string[];
  readonly allDefaults: string;
};

export type Service = {
  readonly name: string;
  readonly mode: RoutedService["mode"];
  readonly sticky: { readonly cookie: string; readonly find: string } | { readonly header: string } | null;
  readonly optIn: OptIn | null;
  /** Only those with a weight, in the order of the table. */
  readonly weighted: readonly Side[];
  readonly fallbacks: readonly Side[];
};

/** Where a client says which side it wants, and by which values. */
export type OptIn = ({ readonly header: string } | { readonly find: string }) & {
  readonly candidate: string;
  readonly stable: string;
};

/** One revision of a service and the part of the buckets it holds. */
export type Side = {
  readonly release: ReleaseId;
  readonly revision: Revision;
  readonly upstreams: readonly Upstream[];
  /** The first bucket that is no longer its own. */
  readonly untilBucket: number;
};
