import type { DeploymentId, EnvironmentName, EpochMs, RunId } from "../ids.ts";

/** How something stands, in the words that all forges can be told. */
export type ReportState = "waiting" | "running" | "succeeded" | "failed" | "cancelled";

/** What a forge is told of a commit. */
export type Report = {
  readonly commit: string;
  /** What it is about, the same for every commit: `slipway/shop/production`. */
  readonly context: string;
  readonly state: ReportState;
  /** One sentence. */
  readonly description: string;
  /** Where more is to be seen; null: nowhere. */
  readonly url: string | null;
};

/** A run or a deployment of a commit, as it stands. */
export type Reported = {
  readonly id: RunId | DeploymentId;
  readonly product: string;
  readonly commit: string;
  /** Null for a run. */
  readonly environment: EnvironmentName | null;
  readonly phase: string;
  readonly reason: string;
  readonly createdAt: EpochMs;
  readonly startedAt: EpochMs | null;
  readonly endedAt: EpochMs | null;
};

const ends: Readonly<Record<string, ReportState>> = {
  succeeded: "succeeded",
  cancelled: "cancelled",
  failed: "failed",
  "rolled-back": "failed",
  "rollback-failed": "failed",
};

export function stateOf({ phase }: Pick<Reported, "phase">): ReportState {
  return ends[phase] ?? (phase === "gated" || phase === "queued" ? "waiting" : "running");
}

/** Nothing more will be told of it. */
export function isOver(reported: Pick<Reported, "phase">): boolean {
  return Object.hasOwn(ends, reported.phase);
}

/** One name a product, so that two of one repository do not speak over each other. */
export function contextOf({ product, environment }: Pick<Reported, "product" | "environment">): string {
  return environment === null ? `slipway/${product}` : `slipway/${product}/${environment}`;
}

/** The address of the page of a run or a deployment; null where nobody could reach it. */
export type PageOf = (id: Reported["id"]) => string | null;

export function reportOf(reported: Reported, pageOf: PageOf): Report {
  return {
    commit: reported.commit,
    context: contextOf(reported),
    state: stateOf(reported),
    description: descriptionOf(reported),
    url: pageOf(reported.id),
  };
}

/** What a status of GitHub can hold; the others hold more. Source: `description` of GitHub's deployment statuses, 140. */
const maxChars = 140;

function descriptionOf({ environment, phase, reason }: Reported): string {
  const what = environment === null ? `run ${phase}` : `${environment}: ${phase}`;
  return cut(reason === "" ? what : `${what}: ${oneLine(reason)}`, maxChars);
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

export function cut(text: string, chars: number): string {
  const all = [...text];
  return all.length <= chars ? text : `${all.slice(0, chars - 1).join("")}…`;
}
