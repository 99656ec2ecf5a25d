/**
 * How a step of a run stands.
 *
 *   waiting -> running             all that it needs has passed, and there is room
 *   waiting -> cancelled           something that it needs has failed, or nobody waits for it any more
 *   running -> passed, failed      it has ended
 *   running -> cancelled           nobody waits for it any more, or the run was called off
 *   skipped                        from the beginning: it is no part of this run
 *   restored                       passed, by the result of an earlier run
 */
export type StepPhase = "waiting" | "running" | "passed" | "restored" | "failed" | "skipped" | "cancelled";

export type StepState = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly phase: StepPhase;
  readonly allowFailure: boolean;
};

export type RunDecision = {
  /** Begin these, the one with the longest way behind it first. */
  readonly start: readonly string[];
  readonly cancel: readonly { readonly id: string; readonly why: string }[];
  /** Null while something is under way; then whether the run has passed, and what it failed by. */
  readonly end: { readonly passed: boolean; readonly failed: readonly string[] } | null;
};

const goodPhases: ReadonlySet<StepPhase> = new Set(["passed", "restored", "skipped"]);
const overPhases: ReadonlySet<StepPhase> = new Set([...goodPhases, "failed", "cancelled"]);

/** What to do next. A failure calls off what needs it, and what only that was waiting for; everything else goes on. */
export function decideRun(steps: readonly StepState[], { parallel }: { readonly parallel: number }): RunDecision {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const order = behindFirst(steps);
  const doomed = doomedBy(steps, byId);
  const wanted = wantedOf(order, doomed);
  const cancel = steps.flatMap(({ id, phase }) => {
    if (overPhases.has(phase) || wanted.has(id)) return [];
    const by = doomed.get(id);
    return [{ id, why: by === undefined ? "nobody waits for it any more" : `${by} has failed` }];
  });
  const running = steps.filter(({ id, phase }) => phase === "running" && wanted.has(id)).length;
  const ready = steps.filter(
    ({ id, phase, needs }) => phase === "waiting" && wanted.has(id) && needs.every((need) => isGood(byId.get(need))),
  );
  const start = ready
    .map(({ id }) => ({ id, depth: order.get(id)?.depth ?? 0 }))
    .toSorted((a, b) => b.depth - a.depth)
    .slice(0, Math.max(0, parallel - running))
    .map(({ id }) => id);
  const cancelled = new Set(cancel.map(({ id }) => id));
  const over = steps.every(({ id, phase }) => overPhases.has(phase) || cancelled.has(id));
  const failed = steps.filter((step) => step.phase === "failed" && !step.allowFailure).map(({ id }) => id);
  const passed = steps.every((step) => isGood(step));
  return { start, cancel, end: over ? { passed, failed } : null };
}

function isGood(step: StepState | undefined): boolean {
  // What it needs may be no part of this run at all.
  return step === undefined || goodPhases.has(step.phase) || (step.phase === "failed" && step.allowFailure);
}

type Place = { readonly behind: readonly string[]; readonly depth: number };

/** What waits for each, and how long the longest chain behind it is; those behind come before. */
function behindFirst(steps: readonly StepState[]): ReadonlyMap<string, Place> {
  const behind = new Map<string, string[]>(steps.map(({ id }) => [id, []]));
  for (const { id, needs } of steps) for (const need of needs) behind.get(need)?.push(id);
  const left = new Map(steps.map(({ id }) => [id, behind.get(id)?.length ?? 0]));
  const byId = new Map(steps.map((step) => [step.id, step]));
  const open = steps.filter(({ id }) => left.get(id) === 0).map(({ id }) => id);
  const places = new Map<string, Place>();
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const all = behind.get(id) ?? [];
    places.set(id, { behind: all, depth: 1 + Math.max(0, ...all.map((each) => places.get(each)?.depth ?? 0)) });
    for (const need of byId.get(id)?.needs ?? []) {
      const rest = (left.get(need) ?? 0) - 1;
      left.set(need, rest);
      if (rest === 0) open.push(need);
    }
  }
  return places;
}

/** What cannot come to pass any more, each with what has failed. */
function doomedBy(steps: readonly StepState[], byId: ReadonlyMap<string, StepState>): ReadonlyMap<string, string> {
  const doomed = new Map<string, string>();
  const causeOf = (id: string): string | undefined => {
    const step = byId.get(id);
    if (step?.phase === "failed" && !step.allowFailure) return id;
    return step?.phase === "cancelled" ? (doomed.get(id) ?? id) : doomed.get(id);
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const { id, needs, phase } of steps) {
      if (doomed.has(id) || (overPhases.has(phase) && phase !== "cancelled")) continue;
      const cause = needs.map(causeOf).find((each) => each !== undefined);
      if (cause === undefined) continue;
      doomed.set(id, cause);
      changed = true;
    }
  }
  return doomed;
}

/** A step is wanted for itself when nothing waits for it, else by what waits for it. */
function wantedOf(order: ReadonlyMap<string, Place>, doomed: ReadonlyMap<string, string>): ReadonlySet<string> {
  const wanted = new Set<string>();
  for (const [id, { behind }] of order) {
    if (!doomed.has(id) && (behind.length === 0 || behind.some((each) => wanted.has(each)))) wanted.add(id);
  }
  return wanted;
}
