import type { RevisionId } from "../../../core/ids.ts";
import type { CertificateStatus, EdgeConfig, EdgeCounters, RouteTable } from "../../../ports/edge.ts";

/** What the primary tells a worker. Messages of one channel arrive in order; those with a `call` are answered. */
export type ToWorker =
  | {
      readonly is: "boot";
      readonly config: EdgeConfig;
      readonly table: RouteTable | null;
      readonly holds: readonly Hold[];
      readonly challenges: Challenges;
      readonly ticketKey: string;
    }
  | { readonly is: "config"; readonly call: number; readonly config: EdgeConfig }
  | { readonly is: "table"; readonly call: number; readonly table: RouteTable }
  | { readonly is: "hold"; readonly call: number; readonly hold: Hold }
  | { readonly is: "release"; readonly call: number; readonly service: string }
  | {
      readonly is: "drain";
      readonly call: number;
      readonly revision: RevisionId;
      readonly timeoutMs: number;
      readonly streamLimitMs: number;
    }
  /** All that are open now. */
  | { readonly is: "challenges"; readonly call: number; readonly open: Challenges }
  /** Looks at the files now. */
  | { readonly is: "read-certificates"; readonly call: number }
  | { readonly is: "certificates"; readonly call: number }
  | { readonly is: "ticket-key"; readonly key: string }
  /** Of the requests a worker asked to keep waiting in a hold, so many may not. */
  | { readonly is: "hold-full"; readonly hold: number; readonly refused: number }
  /** Open client connections at the other workers, so that all together keep the limit. */
  | { readonly is: "connections"; readonly elsewhere: number }
  | { readonly is: "rates"; readonly told: RatesTold }
  | { readonly is: "reopen-log" }
  /** Takes no new connections, finishes what it has, and ends. */
  | { readonly is: "retire"; readonly limitMs: number };

export type FromWorker =
  | { readonly is: "up" }
  | { readonly is: "listening" }
  | { readonly is: "not-listening"; readonly problem: ListenProblem }
  | ({ readonly is: "done"; readonly call: number } & Done)
  | { readonly is: "waiting"; readonly hold: number; readonly change: number }
  | { readonly is: "rates"; readonly told: RatesTold }
  | { readonly is: "counts"; readonly counts: WorkerCounts };

/** A service whose new requests wait. `id` tells one hold from the next of the same service. */
export type Hold = { readonly id: number; readonly service: string; readonly untilMs: number };

/** What a worker has to say about a call, if anything. */
export type Done = {
  readonly inflight?: number;
  readonly problem?: ListenProblem;
  readonly certificates?: readonly CertificateStatus[];
};

/** ACME challenges: the CA asks for the token and wants the answer. */
export type Challenges = readonly (readonly [token: string, answer: string])[];

export type ListenProblem = { readonly address: string; readonly code: string };

/** Per limiter, what clients used at one worker since it last told. */
export type RatesTold = Readonly<Record<string, readonly (readonly [client: string, used: number])[]>>;

export type WorkerCounts = {
  readonly revisions: Readonly<Record<string, EdgeCounters>>;
  readonly unrouted: number;
  readonly connections: number;
  readonly logBytes: number;
  /** Services that sleep and that somebody waits for. */
  readonly asked: readonly string[];
};
