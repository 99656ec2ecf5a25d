import { ForgeProblem } from "../../../core/forge/problem.ts";
import type { Forge } from "../../../ports/forge.ts";

/** What a forge has not got; `can` says so, and nobody asks. */
export function noneOf(forge: string): Pick<Forge, "can" | "setCheck" | "setDeployment"> {
  const none = (what: string) => async (): Promise<never> => {
    throw new ForgeProblem("wrong", `${forge} has no ${what}`);
  };
  return { can: { checks: false, deployments: false }, setCheck: none("checks"), setDeployment: none("deployments") };
}
