/** What is wrong with a version of a service, in the ways in which real ones are. Ratios are shares of answers that fail. */
export type Ailment =
  | { readonly is: "none" }
  /** From the first request on. */
  | { readonly is: "errors"; readonly ratio: number }
  /** Something is used up: failures grow with the time an instance has run, to `ratio` after `fullMs`; a restart heals. */
  | { readonly is: "leak"; readonly ratio: number; readonly fullMs: number }
  /** Answers take longer and longer, up to `factor` times after `fullMs`. */
  | { readonly is: "latency-creep"; readonly factor: number; readonly fullMs: number }
  /** Slow, and failing a little, until its caches are warm: halves every `halfMs`. A good version all the same. */
  | { readonly is: "cold-cache"; readonly ratio: number; readonly factor: number; readonly halfMs: number }
  /** Each instance exits by itself, `afterMs` after it has become ready, again and again. */
  | { readonly is: "crash-loop"; readonly afterMs: number }
  /** Fails on one host only: an old kernel, a full disk, a missing file. */
  | { readonly is: "bad-host"; readonly ratio: number; readonly host: number }
  /** The health check fails from then on; requests too. */
  | { readonly is: "sick"; readonly afterMs: number }
  /** Exits before it listens. */
  | { readonly is: "dead-on-start"; readonly code?: number }
  /** Lives, and never becomes healthy. */
  | { readonly is: "never-ready" }
  /** A job that ends with this exit code. */
  | { readonly is: "job-fails"; readonly code: number };

/** One version of one service, as a program. */
export type Program = {
  /** From the start of the process until it answers. */
  readonly readyMs: number;
  /** From the request to stop until the process has ended, when nothing keeps it. */
  readonly stopMs: number;
  /** Share of answers that fail although nothing is wrong. */
  readonly baseErrors: number;
  /** Of a usual answer. */
  readonly latencyMs: number;
  readonly ailment: Ailment;
  /** What it writes when it starts. */
  readonly says?: { readonly stream: "stdout" | "stderr"; readonly text: string };
};

/** Above this share of failing answers nobody would call a version good. */
const badFrom = 0.01;

/** Whether a person would want it taken back; what heals, and what hits both sides, is not the version's fault. */
export function isBad({ ailment }: Program): boolean {
  switch (ailment.is) {
    case "none":
    case "cold-cache":
      return false;
    case "errors":
    case "bad-host":
    case "leak":
      return ailment.ratio >= badFrom;
    default:
      return true;
  }
}

export type Condition = { readonly errorRatio: number; readonly latencyFactor: number; readonly healthy: boolean };

/** How an instance answers that has been ready for so long. `shared`: share of answers that fail for something both sides need. */
export function conditionOf(
  { baseErrors, ailment }: Program,
  at: { readonly readyForMs: number; readonly host: number; readonly shared: number },
): Condition {
  const own = ownCondition(ailment, at.readyForMs, at.host);
  const works = (1 - baseErrors) * (1 - own.errorRatio) * (1 - at.shared);
  return { ...own, errorRatio: 1 - works, latencyFactor: own.latencyFactor * (1 + 4 * at.shared) };
}

const well: Condition = { errorRatio: 0, latencyFactor: 1, healthy: true };

function ownCondition(ailment: Ailment, readyForMs: number, host: number): Condition {
  switch (ailment.is) {
    case "errors":
      return { ...well, errorRatio: ailment.ratio };
    case "leak":
      return { ...well, errorRatio: ailment.ratio * Math.min(1, readyForMs / ailment.fullMs) };
    case "latency-creep":
      return { ...well, latencyFactor: 1 + (ailment.factor - 1) * Math.min(1, readyForMs / ailment.fullMs) };
    case "cold-cache": {
      const left = 2 ** (-readyForMs / ailment.halfMs);
      return { ...well, errorRatio: ailment.ratio * left, latencyFactor: 1 + (ailment.factor - 1) * left };
    }
    case "bad-host":
      return { ...well, errorRatio: ailment.host === host ? ailment.ratio : 0 };
    case "sick":
      return readyForMs >= ailment.afterMs ? { errorRatio: 1, latencyFactor: 1, healthy: false } : well;
    default:
      return well;
  }
}
