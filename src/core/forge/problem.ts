/**
 * Why a forge was not told, or did not answer. `away`: it cannot now; `refused`: it will not, for who we are or what it does not know;
 * `wrong`: what was sent is nothing that it takes, so that sending it again is of no use.
 */
export class ForgeProblem extends Error {
  override readonly name = "ForgeProblem";
  readonly is: "away" | "refused" | "wrong";
  /** It has said how long to leave it alone; null: it has not. */
  readonly retryAfterMs: number | null;
  /** Of HTTP; null where there was no answer. */
  readonly status: number | null;

  constructor(
    is: ForgeProblem["is"],
    message: string,
    {
      retryAfterMs = null,
      status = null,
    }: { readonly retryAfterMs?: number | null; readonly status?: number | null } = {},
  ) {
    super(message);
    this.is = is;
    this.retryAfterMs = retryAfterMs;
    this.status = status;
  }
}
