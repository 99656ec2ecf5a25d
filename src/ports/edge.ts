import type { EpochMs, InstanceId, ReleaseId, RevisionId } from "../core/ids.ts";

/** What the planner may ask of an edge. */
export type EdgeCan = {
  readonly hold: boolean;
  /** Requests of what sleeps wait, and are told of. */
  readonly wake?: boolean;
  readonly exactDrain: boolean;
  readonly sticky: boolean;
  readonly ipRateLimit: boolean;
  readonly chunkedBodyLimit: boolean;
  readonly connectErrors: boolean;
  /** Certificates by itself (RFC 8555). */
  readonly acme: boolean;
  readonly http2: boolean;
  readonly http3: boolean;
  /** A change of listeners, limits, routes or policies closes idle connections and may reset a few that are just being opened. */
  readonly resetsOnReconfigure?: boolean;
};

/** How a listener speaks TLS. Certificates are chosen by the name the client asks for (SNI). */
export type TlsConfig = {
  /** PEM files, read again when they change. */
  readonly certificates: readonly {
    readonly hosts: readonly string[];
    readonly certFile: string;
    readonly keyFile: string;
  }[];
  /** Certificates that the edge gets and renews by itself for these names. */
  readonly acme: {
    readonly hosts: readonly string[];
    readonly email: string | null;
    /** The CA's directory; null is the driver's default. */
    readonly directoryUrl: string | null;
    /** PEM file of the CA that signs the ACME server's own certificate; null is the system's trust. */
    readonly caFile: string | null;
  } | null;
  readonly http2: boolean;
};

export type Listener = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Null speaks plain HTTP. */
  readonly tls: TlsConfig | null;
};

/** A certificate in use, so that somebody watches its end. */
export type CertificateStatus = {
  readonly listener: string;
  readonly hosts: readonly string[];
  readonly issuer: string;
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
  /** Why the newest attempt to get or renew it failed; null when it did not. */
  readonly trouble: string | null;
};

/** Rarely changed. Applying it again changes nothing; adding or removing a listener does not disturb the others. */
export type EdgeConfig = {
  readonly listeners: readonly Listener[];
  /** CIDRs of proxies whose X-Forwarded-For, -Proto and trace headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly limits: {
    readonly headerBytes: number;
    readonly bodyBytes: number;
    readonly headersTimeoutMs: number;
    readonly requestTimeoutMs: number;
    readonly idleTimeoutMs: number;
    /** Waiting for the first byte of a service's answer. */
    readonly upstreamTimeoutMs: number;
    readonly connectTimeoutMs: number;
    readonly maxConnections: number;
  };
  /** JSON lines, one a request; null writes none. */
  readonly accessLog: { readonly file: string; readonly maxBytes: number; readonly keep: number } | null;
};

export type RoutePolicy = {
  /** `https`: plain HTTP (by X-Forwarded-Proto of a trusted proxy, or the listener) is sent to https with 308. */
  readonly redirectToHttps: boolean;
  /** `www.example.org` → `example.org` with 301, when set. */
  readonly redirectHosts: Readonly<Record<string, string>>;
  /** Set on every answer unless the service set them itself. */
  readonly headers: Readonly<Record<string, string>>;
  readonly cors: {
    readonly origins: readonly string[];
    readonly methods: readonly string[];
    readonly headers: readonly string[];
    readonly credentials: boolean;
    readonly maxAgeS: number;
  } | null;
  /** Paths under `prefix` (decoded and normalised before the match) are only for clients in `allow` (CIDRs); others get 403. */
  readonly allowLists: readonly { readonly prefix: string; readonly allow: readonly string[] }[];
  /** Per client IP. Answers carry X-RateLimit-Limit, -Remaining, -Reset, and Retry-After on 429. */
  readonly rateLimit: { readonly requests: number; readonly perMs: number } | null;
  readonly bodyBytes: number | null;
};

export type Route = {
  readonly listener: string;
  /** Exact host name, or null for any. */
  readonly host: string | null;
  /** Longest prefix wins; `/api` matches `/api` and `/api/…`, not `/apiary`. */
  readonly pathPrefix: string;
  /** Removes the prefix before the request is passed on. */
  readonly strip: boolean;
  /** Key in `RouteTable.services`. */
  readonly service: string;
  readonly policy: RoutePolicy;
};

export type EdgeTarget = {
  readonly revision: RevisionId;
  readonly release: ReleaseId;
  readonly instances: readonly { readonly id: InstanceId; readonly address: string }[];
  /** 0 to 10,000: hundredths of a percent. The weights of a service that has any sum to 10,000. */
  readonly weight: number;
  /**
   * Takes a request only when no weighted revision could be connected to, or when a safe request (RFC 9110 §9.2.2
   * idempotent, no body passed on, no answer byte seen) failed there. Never counts against the candidate's share.
   */
  readonly fallback: boolean;
};

export type RoutedService = {
  /** Candidate first: hash buckets fill from the first target, so a user never goes back while the weight rises. */
  readonly targets: readonly EdgeTarget[];
  /** By what a client is kept on one revision. The cookie is made by the edge when it is missing. Null: per request. */
  readonly sticky: { readonly cookie: string } | { readonly header: string } | null;
  /**
   * By what a client chooses its side, whatever the weights: the first of the targets that have one, or the last. Before `sticky`.
   * Absent, and without either value: by nothing.
   */
  readonly optIn?: ({ readonly header: string } | { readonly cookie: string }) & {
    readonly candidate: string;
    readonly stable: string;
  };
  /** `asleep`: nothing of it runs; requests wait until a table says otherwise, where the edge `can.wake`, and are told of in the samples. */
  readonly mode: "live" | "maintenance" | "asleep";
};

/** Everything that changes often, as one value. */
export type RouteTable = {
  /** Only ever rises: a lower one is refused, and an equal one unless the table is the same, which changes nothing. */
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly services: Readonly<Record<string, RoutedService>>;
};

/**
 * Cumulative since the edge first saw the revision; survives worker restarts. When the edge as a whole is restarted all
 * counts begin at 0 again: a count that is lower than the one before it says so.
 */
export type EdgeCounters = {
  /** Answers given to clients on behalf of this revision, also those the edge made itself because the revision failed. */
  readonly requests: number;
  /** Of `requests`, by status class: 1xx, 2xx, 3xx, 4xx, 5xx. */
  readonly byClass: readonly [number, number, number, number, number];
  /**
   * Attempts that failed at this revision, also when another instance then answered: no connection. A request that passes
   * over a revision because none of its instances could be connected to a moment ago counts too.
   */
  readonly connectErrors: number;
  /** The same: connection lost or timed out before a whole answer. */
  readonly upstreamErrors: number;
  /** The client went away first. Not in `requests`. */
  readonly clientAborts: number;
  /** What a drain waits for: requests without a whole answer, but for streams. */
  readonly inflight: number;
  readonly webSockets: number;
  /** Time to the first byte of the answer, counted in the buckets of `core/metric/latency.ts`, one more than it has bounds. */
  readonly latency: readonly number[];
};

export type EdgeSample = {
  readonly at: EpochMs;
  readonly generation: number;
  readonly revisions: Readonly<Record<RevisionId, EdgeCounters>>;
  /** Requests answered for no revision: no route, redirects, limits, maintenance. */
  readonly unrouted: number;
  /** Services that sleep and that somebody waits for. Absent: none. */
  readonly asked?: readonly string[];
};

/** What routes traffic to revisions by weight, and counts it. Every call may be repeated. */
export interface Edge {
  readonly name: string;
  readonly can: EdgeCan;
  /**
   * Starts it, or finds it running, and brings listeners and limits to `config` without disturbing traffic. With `fresh`,
   * every worker is also replaced by one that runs the code on disk, without a failed request. Errors: PORT_TAKEN, EDGE_UNREACHABLE.
   */
  start(config: EdgeConfig, options?: { readonly fresh?: boolean }): Promise<void>;
  /**
   * Puts the table in force: atomic, drops nothing. Resolves when every worker routes by it, so that no request that arrives
   * later is routed by an older one. Errors: EDGE_REFUSED_TABLE (nothing changed), EDGE_UNREACHABLE (unknown; repeat).
   */
  apply(table: RouteTable): Promise<void>;
  /** The table in force, also one that an earlier control plane applied; null before the first. Changes nothing. */
  current(): Promise<RouteTable | null>;
  /**
   * New requests of the service wait, at most `maxQueued` of them, the others get 503. Released (`null`) they are routed by
   * the newest table. `maxMs` after the call the hold ends by itself: who waits gets 503, who comes later is served.
   */
  hold(service: string, until: { readonly maxMs: number; readonly maxQueued: number } | null): Promise<void>;
  /**
   * Waits until no request is in flight where no new one comes, or `timeoutMs`: at the whole revision when it has no weight,
   * else at those of its instances that the table in force no longer names. WebSockets and
   * server-sent events do not hold it up; they are kept until `streamLimitMs` after the call, then closed.
   */
  drain(
    revision: RevisionId,
    limits: { readonly timeoutMs: number; readonly streamLimitMs: number },
  ): Promise<{ readonly inflight: number }>;
  /**
   * The newest counters, at once and then at least every 250 ms, also when idle, until the signal is aborted. Finds an edge
   * that was restarted again; a slow reader misses samples and slows nothing.
   */
  samples(signal: AbortSignal): AsyncIterable<EdgeSample>;
  /** Certificates in use, or wanted and not there (`notBefore` and `notAfter` 0). Changes nothing. An edge without TLS has none. */
  certificates(): Promise<readonly CertificateStatus[]>;
  /** Stops the edge itself: listeners close, requests in flight get `graceMs`. Only for `slipway down --all` and tests. */
  stop(graceMs: number): Promise<void>;
}
