import { formatDuration } from "../product/units.ts";

/** What is done about the instances of a host that does not answer. */
export type LostHostPolicy = { readonly act: "wait" | "replace"; readonly afterMs: number };

export const defaultLostHost: LostHostPolicy = { act: "wait", afterMs: 0 };

/** A host as its target sees it: how long it has not answered; null when it answers. */
export type HostSeen = { readonly name: string; readonly awayForMs: number | null };

export type LostHost =
  /** It answers, or waiting is all that is wanted; or it is not time yet, or somebody else has the environment in hand. */
  | { readonly do: "wait"; readonly reason: string }
  /** From now on it counts as not there, until it answers: its instances start elsewhere. */
  | { readonly do: "give-up"; readonly reason: string };

/**
 * What is done about a host that does not answer, of all hosts of its target.
 *
 * ```text
 *  answers ─► away ── after, when at least half of the hosts answer and nothing is under way ─► given up ─► (its instances elsewhere)
 *     ▲                                                                                            │
 *     └──────────────────────────────── answers: its surplus is stopped ◄──────────────────────────┘
 * ```
 * Where most hosts are away, it is most likely we who are cut off, and what runs there goes on serving. `knownLost`: it had been
 * given up before this control plane began, and has not answered since.
 */
export function decideLostHost(
  host: HostSeen,
  all: readonly HostSeen[],
  { policy, held, knownLost }: { policy: LostHostPolicy; held: string | null; knownLost: boolean },
): LostHost {
  const wait = (reason: string): LostHost => ({ do: "wait", reason });
  if (host.awayForMs === null) return wait(`host ${host.name} answers`);
  const away = `host ${host.name} has not answered for ${formatDuration(Math.floor(host.awayForMs / 1_000) * 1_000)}`;
  if (policy.act === "wait") return wait(`${away}; what ran there is waited for`);
  const answering = all.filter(({ awayForMs }) => awayForMs === null).length;
  if (answering === 0) return wait(`${away}, and no other does`);
  if (answering * 2 < all.length)
    return wait(`${away}; ${answering} of ${all.length} hosts answer, so it may be this control plane that is cut off`);
  if (held !== null) return wait(`${away}; ${held}`);
  if (!knownLost && host.awayForMs < policy.afterMs)
    return wait(`${away}; its instances start elsewhere after ${formatDuration(policy.afterMs)}`);
  return { do: "give-up", reason: `${away}; its instances start on other hosts` };
}
