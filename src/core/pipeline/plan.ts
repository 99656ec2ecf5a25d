import { globMatcher, textMatcher } from "./glob.ts";
import type { Pipeline, PipelineStep, RunReason } from "./step.ts";

/** A step of a run: whether it is part of it, or why not. */
export type PlannedStep = { readonly step: PipelineStep; readonly skipped: string | null };

/**
 * The steps of one run, what is needed before what needs it. Those that `when` leaves out are there, with the reason; those
 * that nobody asked for are not.
 */
export function planRun(pipeline: Pipeline, reason: RunReason): readonly PlannedStep[] {
  const asked = askedFor(pipeline.steps, reason);
  return inOrder(pipeline.steps.filter(({ id }) => asked.has(id))).map((step) => ({
    step,
    skipped: isNamed(step, reason) ? null : whyNot(step, reason),
  }));
}

/** Names that the pipeline does not have. */
export function unknownNames(pipeline: Pipeline, { steps }: Pick<RunReason, "steps">): readonly string[] {
  return steps.filter((name) => !pipeline.steps.some((step) => isCalled(step, name)));
}

/** Each after all that it needs; else in the order given. Takes a graph without circles. */
function inOrder(steps: readonly PipelineStep[]): readonly PipelineStep[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const done = new Set<string>();
  const order: PipelineStep[] = [];
  const stack: { readonly step: PipelineStep; next: number }[] = [];
  for (const start of steps) {
    if (!done.has(start.id)) stack.push({ step: start, next: 0 });
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const needed = byId.get(top.step.needs[top.next++] ?? "");
      if (needed !== undefined) {
        if (!done.has(needed.id)) stack.push({ step: needed, next: 0 });
      } else if (top.next > top.step.needs.length) {
        stack.pop();
        if (!done.has(top.step.id)) order.push(top.step);
        done.add(top.step.id);
      }
    }
  }
  return order;
}

function askedFor(steps: readonly PipelineStep[], reason: RunReason): ReadonlySet<string> {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const isAsked = (step: PipelineStep): boolean =>
    (reason.steps.length === 0 || isNamed(step, reason)) &&
    (reason.services.length === 0 || (step.service !== null && reason.services.includes(step.service)));
  const asked = new Set<string>();
  const open = steps.filter(isAsked).map(({ id }) => id);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (asked.has(id)) continue;
    asked.add(id);
    open.push(...(byId.get(id)?.needs ?? []));
  }
  return asked;
}

/** Asked for by name, a service's steps by their own too: then it runs, whatever `when` says. */
function isNamed(step: PipelineStep, { steps }: RunReason): boolean {
  return steps.some((name) => isCalled(step, name));
}

function isCalled(step: PipelineStep, name: string): boolean {
  return step.id === name || step.name === name || step.name.endsWith(`/${name}`);
}

function whyNot({ when, load }: PipelineStep, { event, branch, changed }: RunReason): string | null {
  if (load !== null) return `tests what is live: slipway load-test ${load.environment}`;
  if (when.event !== null && !when.event.includes(event)) return `only for ${when.event.join(", ")}; this is ${event}`;
  if (when.branch !== null && (branch === null || !textMatcher(when.branch)(branch)))
    return `only on ${when.branch.join(", ")}; this is ${branch ?? "no branch"}`;
  if (when.paths !== null && changed !== null && !changed.some(globMatcher(when.paths)))
    return `nothing has changed in ${when.paths.join(", ")}`;
  return null;
}
