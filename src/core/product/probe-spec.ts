import type { ServiceName } from "../ids.ts";
import type { Unit } from "../metric/catalogue.ts";
import type { JsonShape } from "./spec.ts";

/** Where something is: as it stands in the config, or in a variable of the control plane's environment, with its password. */
export type PlaceSpec = { readonly url: string } | { readonly from: string };

export type HostPort = { readonly host: string; readonly port: number };

/** What is done to look. `headersFrom`, `variables`: names of variables of the control plane's environment. */
export type CheckSpec =
  | {
      readonly kind: "http";
      readonly url: string;
      readonly method: "GET" | "HEAD";
      readonly headers: Readonly<Record<string, string>>;
      readonly headersFrom: Readonly<Record<string, string>>;
      readonly status: readonly number[] | null;
      readonly body: string | JsonShape | null;
      readonly withinMs: number | null;
    }
  | { readonly kind: "tcp"; readonly address: HostPort }
  | {
      readonly kind: "dns";
      readonly name: string;
      readonly type: "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "NS";
      readonly server: string | null;
      readonly answer: string | null;
    }
  | { readonly kind: "tls"; readonly address: HostPort; readonly servername: string; readonly days: number }
  | { readonly kind: "postgres" | "mysql" | "mongodb" | "redis"; readonly place: PlaceSpec }
  | { readonly kind: "queue"; readonly place: PlaceSpec; readonly queue: QueueSpec }
  | { readonly kind: "command"; readonly command: readonly string[]; readonly variables: readonly string[] }
  | {
      readonly kind: "prometheus";
      readonly url: string;
      readonly query: string;
      readonly headersFrom: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "cloudwatch";
      readonly region: string;
      readonly namespace: string;
      readonly metric: string;
      readonly dimensions: Readonly<Record<string, string>>;
      readonly statistic: string;
      readonly periodMs: number;
    }
  | {
      readonly kind: "json";
      readonly url: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly headersFrom: Readonly<Record<string, string>>;
    };

export type QueueSpec =
  | { readonly kind: "bullmq"; readonly name: string; readonly prefix: string }
  | { readonly kind: "list"; readonly key: string; readonly oldest: "first" | "last"; readonly time: string | null }
  | { readonly kind: "stream"; readonly key: string; readonly group: string };

/** Something declared that is measured again and again. */
export type MeasuredSpec = {
  readonly name: string;
  /** Null: the environment as a whole. */
  readonly service: ServiceName | null;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly check: CheckSpec;
};

export type ProbeSpec = MeasuredSpec & {
  /** Its service, or the environment, is down while it fails. */
  readonly uptime: boolean;
};

export type MetricSpec = MeasuredSpec & { readonly unit: Unit };
