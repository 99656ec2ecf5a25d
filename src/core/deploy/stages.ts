import type { ServiceName } from "../ids.ts";
import type { CanarySpec, RolloutSpec } from "../product/spec.ts";
import {
  allTraffic,
  type Rollout,
  type Share,
  type Stage,
  serves,
  sharesTraffic,
  takesRequests,
} from "./deployment.ts";

/**
 * The steps in which traffic goes to the candidate. Blue-green: one step, and the stable side stays whole, so that going
 * back is one change of weights. Rolling: as many steps as batches, and the stable side shrinks as the candidate grows; what is
 * stopped first has no two sides to share between, and changes over in the first step. Canary: a step for each weight, and one
 * to all traffic; the stable side stays whole.
 */
export function stages(
  rollouts: readonly Rollout[],
  rollout: Pick<RolloutSpec, "strategy" | "batch" | "canary">,
): Stage[] {
  // Where nothing is live there is nothing to replace batch by batch.
  if (isEmpty(rollouts)) return [stageOf(rollouts, blueGreen)];
  switch (rollout.strategy) {
    case "blue-green":
      return [stageOf(rollouts, blueGreen)];
    case "rolling":
      return fractions(rollouts, rollout.batch).map((fraction) => stageOf(rollouts, (each) => rolling(each, fraction)));
    case "canary":
      return [
        ...canaryWeights(rollouts, rollout.canary).map((weight) =>
          stageOf(rollouts, (each) => canary(each, weight, rollout.canary?.instances ?? "share")),
        ),
        stageOf(rollouts, blueGreen),
      ];
  }
}

/** None where no service has two sides that could share: then it is one switch, as with blue-green. */
function canaryWeights(rollouts: readonly Rollout[], spec: CanarySpec | undefined): number[] {
  return rollouts.some(sharesTraffic) ? (spec?.steps ?? []).map(({ weight }) => Math.round(weight * allTraffic)) : [];
}

/**
 * Going back is first of all a change of weights: what takes requests, and is still warm, comes first. What works in the
 * background follows, so that no start-up stands between the decision and the traffic.
 */
export function rollbackStages(rollouts: readonly Rollout[]): Stage[] {
  const traffic = stageOf(rollouts, (rollout) =>
    isTraffic(rollout) ? blueGreen(rollout) : { candidate: 0, stable: rollout.stableInstances, weight: allTraffic },
  );
  if (isEmpty(rollouts)) return [stageOf(rollouts, blueGreen)];
  return rollouts.every(isTraffic) ? [traffic] : [traffic, stageOf(rollouts, blueGreen)];
}

function isTraffic(rollout: Rollout): boolean {
  return serves(rollout, rollout.candidate === null ? "stable" : "candidate");
}

function isEmpty(rollouts: readonly Rollout[]): boolean {
  return rollouts.every((rollout) => rollout.stable === null);
}

function stageOf(rollouts: readonly Rollout[], share: (rollout: Rollout) => Share): Stage {
  return Object.fromEntries(rollouts.map((rollout) => [rollout.service, share(rollout)])) as Record<ServiceName, Share>;
}

/** Only what takes requests can be kept warm beside the candidate: a second worker would go on taking work. */
function blueGreen(rollout: Rollout): Share {
  const isWarm = serves(rollout, "stable") && rollout.stopFirst === undefined;
  return {
    candidate: rollout.candidateInstances,
    stable: isWarm ? rollout.stableInstances : 0,
    weight: allTraffic,
  };
}

function rolling(rollout: Rollout, fraction: number): Share {
  if (rollout.stopFirst !== undefined) return blueGreen(rollout);
  // Nothing takes its place batch by batch: it goes with the last one.
  if (rollout.candidate === null || rollout.kind === "job")
    return {
      candidate: rollout.candidateInstances,
      stable: fraction < 1 ? rollout.stableInstances : 0,
      weight: allTraffic,
    };
  const candidate = Math.ceil(rollout.candidateInstances * fraction);
  // The weight follows the instances that exist, so that each instance of both sides carries the same load.
  const share = candidate / rollout.candidateInstances;
  return {
    candidate,
    stable: Math.ceil(rollout.stableInstances * (1 - share)),
    weight: hasNobodyBefore(rollout) ? allTraffic : Math.round(share * allTraffic),
  };
}

/**
 * At a weight below all. What replaces something that cannot share its work by weight (a worker, what is stopped first, what
 * takes no requests) changes over with the last step: half of the background work at the first step would be no canary.
 */
function canary(rollout: Rollout, weight: number, instances: CanarySpec["instances"]): Share {
  const { candidateInstances, stableInstances: stable } = rollout;
  // What was stopped for it has nothing left to answer with.
  if (rollout.candidate === null || rollout.kind === "job" || hasNobodyBefore(rollout))
    return { candidate: candidateInstances, stable: rollout.stopFirst === undefined ? stable : 0, weight: allTraffic };
  // Who has a share of the requests asks it from the first step on.
  if (rollout.behind && rollout.stopFirst === undefined) return { candidate: candidateInstances, stable, weight };
  if (!sharesTraffic(rollout)) return { candidate: 0, stable, weight: 0 };
  const share = Math.max(1, Math.ceil((candidateInstances * weight) / allTraffic));
  return { candidate: instances === "all" ? candidateInstances : share, stable, weight };
}

/** Nothing ran, or what ran took no requests that could be shared. */
function hasNobodyBefore(rollout: Rollout): boolean {
  return rollout.stable === null || (rollout.routed && !takesRequests(rollout, "stable"));
}

/** 25 % of 4 is 0.25, 0.5, 0.75, 1, and 3 of 4 are 0.75, 1; a batch is at least one instance of the largest service. */
function fractions(rollouts: readonly Rollout[], batch: RolloutSpec["batch"]): number[] {
  const shared = rollouts.filter(({ stopFirst }) => stopFirst === undefined);
  const largest = Math.max(1, ...shared.map((rollout) => rollout.candidateInstances));
  const size = typeof batch === "number" ? Math.max(1, Math.floor(largest * batch)) : batch.instances;
  const count = Math.ceil(largest / size);
  return Array.from({ length: count }, (_, index) => Math.min(1, ((index + 1) * size) / largest));
}
