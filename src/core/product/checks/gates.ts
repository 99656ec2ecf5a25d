import { loadTestsIn } from "../../pipeline/resolve.ts";
import { nearest } from "../guess.ts";
import type { ApprovalInput, ProductInput, RolloutInput, RolloutOverride } from "../input.ts";
import type { Path } from "../problems.ts";
import { error, type Finding } from "./finding.ts";

/** Gates that could never open: of teams that are not there, of more people than there are, of an environment before that there is not. */
export function checkGates(product: ProductInput): readonly Finding[] {
  const { environments = {}, teams = {}, rollout } = product;
  const own = Object.entries(environments).flatMap(([environment, { gates, promoteFrom }]) => {
    if (gates?.baked !== undefined && promoteFrom === undefined) {
      const message = "there is nowhere to have lived: set promoteFrom to the environment before";
      return [error(["environments", environment, "gates", "baked"], message)];
    }
    if (gates?.loadTest === true && (promoteFrom === undefined || loadTestsIn(product, promoteFrom).length === 0)) {
      const message =
        promoteFrom === undefined
          ? "there is nowhere to be tested: set promoteFrom to the environment before"
          : `no step of the pipeline has a loadTest in ${promoteFrom}, so it would never open`;
      return [error(["environments", environment, "gates", "loadTest"], message, { because: [["pipeline"]] })];
    }
    return approvalOf(gates?.approval, ["environments", environment, "gates"], teams);
  });
  const steps = Object.entries(environments).flatMap(([environment, place]) =>
    stepsOf(place.rollout, ["environments", environment], teams),
  );
  return [...own, ...stepsOf(rollout, [], teams), ...steps];
}

function stepsOf(
  rollout: RolloutInput | RolloutOverride | null | undefined,
  at: Path,
  teams: Teams,
): readonly Finding[] {
  return (rollout?.steps ?? []).flatMap((step, index) =>
    typeof step === "string"
      ? []
      : approvalOf(step.gates?.approval, [...at, "rollout", "steps", index, "gates"], teams),
  );
}

type Teams = Readonly<Record<string, readonly string[]>>;

function approvalOf(approval: ApprovalInput | undefined, gates: Path, teams: Teams): readonly Finding[] {
  if (approval === undefined) return [];
  const at = [...gates, "approval"];
  const named = approval.teams ?? [];
  const unknown = named.flatMap((team, index) => {
    if (Object.hasOwn(teams, team)) return [];
    const guess = nearest(team, Object.keys(teams));
    const known = Object.keys(teams).join(", ") || "none";
    const advice = guess === null ? `the teams are ${known}; describe it in teams` : `did you mean "${guess}"?`;
    const more = { because: [["teams", team]], ...(guess === null ? {} : { guess }) };
    return [error([...at, "teams", index], `there is no team "${team}"; ${advice}`, more)];
  });
  if (unknown.length > 0) return unknown;
  const people = new Set([...named.flatMap((team) => teams[team] ?? []), ...(approval.people ?? [])]);
  const count = approval.count ?? 1;
  if (people.size === 0 || people.size >= count) return [];
  const has = people.size === 1 ? "there is 1 who may" : `there are ${people.size} who may`;
  return [error([...at, "count"], `${count} people must approve, and ${has}`, { because: [["teams"]] })];
}
