import type { StepView } from "../../src/api/contract.ts";

/** By how many steps must have ended one after the other before it may begin. */
export function lanesOf<Step extends Pick<StepView, "id" | "needs">>(
  steps: readonly Step[],
): readonly (readonly Step[])[] {
  const depths = new Map<string, number>();
  const depthOf = (id: string): number => {
    const known = depths.get(id);
    if (known !== undefined) return known;
    depths.set(id, 0); // a circle is refused before there is a run; here it must only end
    const needs = steps.find((step) => step.id === id)?.needs ?? [];
    const depth = needs.length === 0 ? 0 : 1 + Math.max(...needs.map(depthOf));
    depths.set(id, depth);
    return depth;
  };
  const lanes: Step[][] = [];
  for (const step of steps) {
    const depth = depthOf(step.id);
    lanes[depth] = [...(lanes[depth] ?? []), step];
  }
  return lanes.filter((lane) => lane !== undefined);
}
