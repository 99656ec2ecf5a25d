import type { ErrorCode } from "../errors/catalogue.ts";
import type { Evidence } from "../errors/error.ts";

/** One measurement, judged. *Inconclusive* is a verdict of its own and never counts as good. */
export type Verdict =
  /** `clear`: it is proven, at the chosen rate, to be no worse than it may be; more watching can only find what begins later. */
  | { readonly is: "pass"; readonly why: string; readonly clear?: true }
  | { readonly is: "fail"; readonly code: ErrorCode; readonly why: string; readonly evidence: readonly Evidence[] }
  | { readonly is: "inconclusive"; readonly why: string };
