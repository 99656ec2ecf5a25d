/** What must be open before a deployment begins. */
export type GatesSpec = {
  readonly approval: ApprovalSpec | null;
};

export type ApprovalSpec = {
  /** For a person: `ops, ada`, or `anybody`. */
  readonly from: string;
  /** Everybody who may approve; null is anybody. */
  readonly people: readonly string[] | null;
  readonly count: number;
  readonly authorMayApprove: boolean;
  readonly expiresMs: number;
};
