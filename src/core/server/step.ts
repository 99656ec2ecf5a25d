/** The audit, in the order in which it is made true. What could end the session that does it comes last. */
export type StepId =
  | "system"
  | "disk"
  | "packages"
  | "clock"
  | "updates"
  | "logs"
  | "kernel"
  | "swap"
  | "engine"
  | "user"
  | "edge"
  | "ssh"
  | "firewall";

/**
 * One thing that a server should be. `check` is the body of a shell function that changes nothing and reports each fact with one of
 * `ok`, `note`, `missing`, `blocked`, `refused` (see `FindingIs`). `apply` makes what is missing so, and may be
 * repeated; it stops at its first failure. Both use the functions of `prelude.ts` and the settings at the script's top.
 */
export type Step = {
  readonly id: StepId;
  readonly title: string;
  /** For a person who wonders whether to allow it. One or two sentences. */
  readonly why: string;
  /** What must be right before this can be made so. */
  readonly needs: readonly StepId[];
  /** Shell functions that check and apply share: the content of our files, mostly. */
  readonly parts?: string;
  readonly check: string;
  /** Null where there is nothing to do but to tell. */
  readonly apply: string | null;
};

/**
 * - `ok`: as it should be. `note`: good enough, with a word to it.
 * - `missing`: a bootstrap changes it.
 * - `blocked`: not as it should be, and not ours to change, or not possible on this machine.
 * - `refused`: with this, a bootstrap does not begin at all.
 */
export type FindingIs = "ok" | "note" | "missing" | "blocked" | "refused";

export type Finding = { readonly is: FindingIs; readonly evidence: string; readonly hint: string | null };
