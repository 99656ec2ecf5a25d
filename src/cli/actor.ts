import { hostname, userInfo } from "node:os";

/** Who the history names: the person on this machine, or what a CI says of itself. */
export function actor(): string {
  const named = process.env.SLIPWAY_ACTOR ?? process.env.GITHUB_ACTOR;
  if (named !== undefined && named !== "") return named.slice(0, 100);
  return `${userInfo().username}@${hostname()}`.slice(0, 100);
}
