import type { ProbeAnswer } from "../../core/judge/probe.ts";
import type { Prober } from "../../ports/probe.ts";
import type { Life } from "./life.ts";
import type { Machine } from "./machine.ts";
import type { TargetTrouble } from "./target.ts";
import type { Timeline } from "./timeline.ts";

/** Probes of one control plane: they go past the edge, and not at all where the hosts are cut off from it. */
export function simProber(
  at: { readonly machine: Machine; readonly timeline: Timeline; readonly place: { readonly trouble: TargetTrouble } },
  life: Life,
): Prober {
  const { machine, timeline, place } = at;
  return {
    http: ({ address, timeoutMs }, signal) => {
      const instance = machine.at(address);
      const isRefused = !machine.isListening(instance) && place.trouble !== "away" && place.trouble !== "hang";
      // A refusal takes no time, and most probes of what starts are refused.
      if (isRefused)
        return life.call((): ProbeAnswer => {
          signal.throwIfAborted();
          return { is: "nothing", at: Math.round(timeline.wallMs), tookMs: 0, why: "connection refused" };
        });
      return life.call(async (): Promise<ProbeAnswer> => {
        signal.throwIfAborted();
        const begun = timeline.nowMs;
        const isCut = place.trouble === "away" || place.trouble === "hang";
        const condition = machine.isListening(instance) && !isCut ? machine.conditionOf(instance) : null;
        const latencyMs = instance?.revision.program.latencyMs ?? 0;
        const tookMs = isCut ? timeoutMs : condition === null ? 0 : (latencyMs / 4) * condition.latencyFactor;
        if (tookMs > 0) await timeline.wait(Math.min(tookMs, timeoutMs));
        signal.throwIfAborted();
        const answered = { at: Math.round(timeline.wallMs), tookMs: timeline.nowMs - begun };
        if (condition === null || tookMs >= timeoutMs)
          return {
            is: "nothing",
            ...answered,
            why: isCut || condition !== null ? "no answer in time" : "connection refused",
          };
        return {
          is: "answer",
          ...answered,
          status: condition.healthy ? 200 : 503,
          body: condition.healthy ? "ok" : "sick",
        };
      });
    },
  };
}
