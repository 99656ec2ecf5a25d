import type { PlanView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { fetchReleases, findRelease, type GlobalOptions, withSession } from "../session.ts";
import { planLines } from "./plan-text.ts";

/** Shows what deploying a release (default: the newest) to the environment would do. Changes nothing. Exit 6 when it is blocked. */
export function plan(options: GlobalOptions & { readonly env: string; readonly release?: string }): Promise<number> {
  return withSession(options, async (session) => {
    const release = options.release === undefined ? await newest() : await findRelease(session, options.release);
    const result = await session.client.post<PlanView>("/v1/plans", { environment: options.env, release });
    for (const line of planLines(result)) session.out.line(line);
    session.out.json(result);
    return result.blocked.length > 0 ? 6 : 0;

    async function newest(): Promise<string> {
      const first = (await fetchReleases(session)).find((each) => !each.pruned);
      if (first !== undefined) return first.id;
      throw new SlipwayError("UNKNOWN_RELEASE", {
        message: "there is no release to plan with",
        hint: "make one: slipway deploy --env <environment> --dry-run",
      });
    }
  });
}
