import type { ErrorCode } from "../errors/catalogue.ts";
import type { Evidence } from "../errors/error.ts";

/** One measurement, judged. *Inconclusive* is a verdict of its own and never counts as good. */
export type Verdict =
  | { readonly is: "pass"; readonly why: string }
  | { readonly is: "fail"; readonly code: ErrorCode; readonly why: string; readonly evidence: readonly Evidence[] }
  | { readonly is: "inconclusive"; readonly why: string };
