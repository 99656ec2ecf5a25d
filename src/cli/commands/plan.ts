import { dirname } from "node:path";
import type { PlanView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { findConfig } from "../config/find.ts";
import { findRelease, type GlobalOptions, type Session, withSession } from "../session.ts";
import { planLines } from "./plan-text.ts";

export type PlanOptions = GlobalOptions & {
  readonly env: string;
  readonly release?: string;
  readonly commit?: string;
};

/**
 * Shows what deploying would do: a release, a commit, or, without either, the working tree as it is. Nothing is built, nothing
 * changes. Exit 6 when it is blocked.
 */
export function plan(options: PlanOptions): Promise<number> {
  if (options.release !== undefined && options.commit !== undefined)
    throw new SlipwayError("USAGE", { message: "--release and --commit name two things to plan; pass one of them" });
  return withSession(options, async (session) => {
    const result = await session.client.post<PlanView>("/v1/plans", await planned(session, options));
    for (const line of planLines(result)) session.out.line(line);
    session.out.json(result);
    return result.blocked.length > 0 ? 6 : 0;
  });
}

async function planned(session: Session, { env, release, commit }: PlanOptions): Promise<object> {
  if (release !== undefined) return { environment: env, release: await findRelease(session, release) };
  return {
    environment: env,
    product: session.product,
    repository: dirname(findConfig(process.cwd())),
    revision: commit ?? "HEAD",
    dirty: commit === undefined,
  };
}
