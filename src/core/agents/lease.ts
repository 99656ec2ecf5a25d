import type { EpochMs } from "../ids.ts";

/**
 * Who has an attempt of a step in hand. waiting → held (an agent takes it) → ended (it tells the end), lost (it was not heard of
 * in time) or called off. What is over stays as it is: whoever still has it in hand is refused, and ends his step.
 */
export type Lease =
  | { readonly is: "waiting"; readonly since: EpochMs }
  | { readonly is: "held"; readonly agent: string; readonly id: string; readonly until: EpochMs }
  | { readonly is: "ended"; readonly agent: string; readonly id: string }
  | { readonly is: "lost"; readonly agent: string; readonly id: string }
  | { readonly is: "called-off" };

export type LeaseEvent =
  | { readonly is: "take"; readonly agent: string; readonly id: string }
  | { readonly is: "beat"; readonly id: string }
  | { readonly is: "end"; readonly id: string }
  | { readonly is: "call-off" }
  /** The agent was started again, and has ended all that it had. */
  | { readonly is: "anew"; readonly agent: string }
  /** Its token was taken back: what it has in hand is another's. */
  | { readonly is: "revoke"; readonly agent: string; readonly why: string }
  /** The control plane was away, so nobody could tell it anything. */
  | { readonly is: "found-again" }
  | { readonly is: "look" };

/** An agent that is not heard of for so long has lost what it has in hand. */
export const leaseMs = 30_000;

export type LeaseDecision = { readonly next: Lease; readonly isRefused: boolean; readonly reason: string };

/** What is next. `isRefused`: whoever says it has not got it in hand. Telling an end again is none. */
export function decideLease(lease: Lease, event: LeaseEvent, now: EpochMs): LeaseDecision {
  const stays = (reason: string, isRefused = false): LeaseDecision => ({ next: lease, isRefused, reason });
  // Late is late, whoever says what: it may be begun elsewhere as soon as this is seen.
  if (lease.is === "held" && now >= lease.until && event.is !== "found-again") {
    const { agent, id } = lease;
    const isRefused = event.is === "take" || event.is === "beat" || event.is === "end";
    return { next: { is: "lost", agent, id }, isRefused, reason: `${agent} was not heard of for ${leaseMs / 1_000} s` };
  }
  switch (event.is) {
    case "take":
      if (lease.is !== "waiting") return stays("it is not there to be taken", true);
      return {
        next: { is: "held", agent: event.agent, id: event.id, until: now + leaseMs },
        isRefused: false,
        reason: `taken by ${event.agent}`,
      };
    case "beat":
      if (lease.is !== "held" || lease.id !== event.id) return stays("it is not in hand any more", true);
      return { next: { ...lease, until: now + leaseMs }, isRefused: false, reason: `${lease.agent} is at it` };
    case "end":
      if (lease.is === "ended" && lease.id === event.id) return stays("its end was told before");
      if (lease.is !== "held" || lease.id !== event.id) return stays("it is not in hand any more", true);
      return {
        next: { is: "ended", agent: lease.agent, id: lease.id },
        isRefused: false,
        reason: `${lease.agent} told its end`,
      };
    case "call-off":
      if (lease.is === "ended" || lease.is === "lost" || lease.is === "called-off") return stays("it is over");
      return { next: { is: "called-off" }, isRefused: false, reason: "called off" };
    case "anew":
      if (lease.is !== "held" || lease.agent !== event.agent) return stays("it is not in its hand");
      return {
        next: { is: "lost", agent: lease.agent, id: lease.id },
        isRefused: false,
        reason: `${lease.agent} was started again`,
      };
    case "revoke":
      if (lease.is !== "held" || lease.agent !== event.agent) return stays("it is not in its hand");
      return { next: { is: "lost", agent: lease.agent, id: lease.id }, isRefused: false, reason: event.why };
    case "found-again":
      if (lease.is !== "held") return stays("nobody has it in hand");
      return { next: { ...lease, until: now + leaseMs }, isRefused: false, reason: "the control plane was away" };
    case "look":
      return stays("as it was");
  }
}
