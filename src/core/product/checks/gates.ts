import { personOf, plainName } from "../../gates/person.ts";
import { loadTestsIn } from "../../pipeline/resolve.ts";
import { nearest } from "../guess.ts";
import type { ApprovalInput, BudgetInput, ProductInput, RolloutInput, RolloutOverride } from "../input.ts";
import type { Path } from "../problems.ts";
import { type People, resolvePeople } from "../resolve-gates.ts";
import { error, type Finding } from "./finding.ts";

/** Gates that could never open: of teams that are not there, of more people than there are, of an environment before that there is not. */
export function checkGates(product: ProductInput): readonly Finding[] {
  const { environments = {}, rollout, triggers, name } = product;
  const people = resolvePeople(product);
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
    const budget = budgetOf(gates?.budget, environment, product);
    if (budget.length > 0) return budget;
    const checks = checksOf(gates?.checks, {
      at: ["environments", environment, "gates", "checks"],
      name,
      triggers,
      environment,
    });
    if (checks.length > 0) return checks;
    const silent = silentOf(gates?.approval, { ...product.notifiers, ...environments[environment]?.notifiers });
    if (silent >= 0) {
      const at = ["environments", environment, "gates", "approval", "notify", silent];
      return [error(at, `there is no notifier "${gates?.approval?.notify?.[silent]}"`, { because: [["notifiers"]] })];
    }
    return approvalOf(gates?.approval, ["environments", environment, "gates"], people);
  });
  const steps = Object.entries(environments).flatMap(([environment, place]) =>
    stepsOf(place.rollout, ["environments", environment], people),
  );
  return [...own, ...stepsOf(rollout, [], people), ...steps, ...twoPeople(product)];
}

/** A name that is two people's: nobody could say whose work it is. */
function twoPeople({ people = {} }: ProductInput): readonly Finding[] {
  const owners = new Map(Object.keys(people).map((person) => [plainName(person), person]));
  return Object.entries(people).flatMap(([person, names]) =>
    names.flatMap((name, index) => {
      const plain = plainName(name);
      const owner = owners.get(plain) ?? person;
      owners.set(plain, owner);
      if (owner === person) return [];
      return [error(["people", person, index], `it is ${owner} who is called that`, { because: [["people", owner]] })];
    }),
  );
}

/** A budget of what is not there would never be spent. */
function budgetOf(budget: BudgetInput | undefined, environment: string, product: ProductInput): readonly Finding[] {
  const { environments = {}, services = {} } = product;
  if (budget === undefined) return [];
  const at = ["environments", environment, "gates", "budget"];
  const lost = (key: "in" | "service", seen: string, known: readonly string[]): readonly Finding[] => {
    if (known.includes(seen)) return [];
    const guess = nearest(seen, known);
    const advice = guess === null ? `there are ${known.join(", ")}` : `did you mean "${guess}"?`;
    const what = key === "in" ? "environment" : "service";
    return [error([...at, key], `there is no ${what} "${seen}"; ${advice}`, guess === null ? {} : { guess })];
  };
  // Services of a Compose file are not in the config.
  const isComposed = product.target?.driver === "compose" || environments[environment]?.target?.driver === "compose";
  return [
    ...(budget.in === undefined ? [] : lost("in", budget.in, Object.keys(environments))),
    ...(budget.service === undefined || isComposed ? [] : lost("service", budget.service, Object.keys(services))),
  ];
}

/** Which of those who are to be told is nobody; -1: none. */
function silentOf(approval: ApprovalInput | undefined, notifiers: object): number {
  return (approval?.notify ?? []).findIndex((name) => !Object.hasOwn(notifiers, name));
}

/** What the forge says can only be asked where one is named, and what we say of a deployment ourselves comes after its gates. */
function checksOf(
  names: readonly string[] | undefined,
  {
    at,
    name,
    triggers,
    environment,
  }: {
    readonly at: Path;
    readonly name: string;
    readonly triggers: ProductInput["triggers"];
    readonly environment: string;
  },
): readonly Finding[] {
  if (names === undefined) return [];
  if (triggers?.report === undefined) {
    const because = [["triggers", "report"]];
    return [error(at, "nobody knows which forge is to be asked; set triggers.report", { because })];
  }
  const own = names.indexOf(`slipway/${name}/${environment}`);
  if (own < 0) return [];
  return [error([...at, own], `${names[own]} is told of this deployment itself, which would wait for its own end`)];
}

function stepsOf(
  rollout: RolloutInput | RolloutOverride | null | undefined,
  at: Path,
  people: People,
): readonly Finding[] {
  return (rollout?.steps ?? []).flatMap((step, index) =>
    typeof step === "string"
      ? []
      : approvalOf(step.gates?.approval, [...at, "rollout", "steps", index, "gates"], people),
  );
}

function approvalOf(
  approval: ApprovalInput | undefined,
  gates: Path,
  { teams, otherNames }: People,
): readonly Finding[] {
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
  const listed = [...named.flatMap((team) => teams[team] ?? []), ...(approval.people ?? [])];
  const people = new Set(listed.map((name) => personOf(name, otherNames)));
  const count = approval.count ?? 1;
  if (people.size === 0 || people.size >= count) return [];
  const has = people.size === 1 ? "there is 1 who may" : `there are ${people.size} who may`;
  return [error([...at, "count"], `${count} people must approve, and ${has}`, { because: [["teams"]] })];
}
