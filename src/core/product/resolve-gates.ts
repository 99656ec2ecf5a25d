import { type OtherNames, plainName } from "../gates/person.ts";
import { gatesDefaults } from "./gates.ts";
import type { ApprovalSpec, BudgetSpec, FreezeSpec, GatesSpec, StepGatesSpec, WindowSpec } from "./gates-spec.ts";
import type {
  ApprovalInput,
  BudgetInput,
  FreezeInput,
  GatesInput,
  ProductInput,
  StepGatesInput,
  WindowInput,
} from "./input.ts";
import { ms, ratio } from "./resolve-values.ts";

/** Who there is, for gates. */
export type People = { readonly teams: Teams; readonly otherNames: OtherNames };
type Teams = Readonly<Record<string, readonly string[]>>;

export function resolvePeople({ teams = {}, people = {} }: Pick<ProductInput, "teams" | "people">): People {
  const others = Object.entries(people).flatMap(([person, names]) => names.map((name) => [name, person] as const));
  return {
    teams,
    otherNames: Object.fromEntries(others.map(([name, person]) => [plainName(name), plainName(person)])),
  };
}

/** Nothing where the environment has no gates, so that a config without them is what it was. */
export function resolveGates(gates: GatesInput | undefined, people: People): { readonly gates?: GatesSpec } {
  if (gates === undefined || Object.keys(gates).length === 0) return {};
  const { approval, windows = [], freezes = [], wait, baked, loadTest, checks, checksExpire, budget, when } = gates;
  return {
    gates: {
      approval: approval === undefined ? null : resolveApproval(approval, people),
      windows: windows.map(resolveWindow),
      freezes: freezes.map(resolveFreeze),
      waitMs: wait === undefined ? 0 : ms(wait),
      bakedMs: baked === undefined ? 0 : ms(baked),
      ...(loadTest === true ? { loadTest } : {}),
      ...(checks === undefined
        ? {}
        : { checks: { names: checks, expiresMs: ms(checksExpire ?? gatesDefaults.checksExpire) } }),
      ...(budget === undefined ? {} : { budget: resolveBudget(budget) }),
      ...(when === undefined ? {} : { conditions: when }),
    },
  };
}

/** The same for a step of a canary. */
export function resolveStepGates(
  gates: StepGatesInput | undefined,
  people: People,
): { readonly gates?: StepGatesSpec } {
  if (gates === undefined || Object.keys(gates).length === 0) return {};
  const { approval, windows = [], freezes = [], wait, when = [] } = gates;
  return {
    gates: {
      approval: approval === undefined ? null : resolveApproval(approval, people),
      windows: windows.map(resolveWindow),
      freezes: freezes.map(resolveFreeze),
      waitMs: wait === undefined ? 0 : ms(wait),
      conditions: when,
    },
  };
}

function resolveBudget({ objective, over, service, in: environment }: BudgetInput): BudgetSpec {
  return {
    objective: ratio(objective),
    overMs: ms(over ?? gatesDefaults.over),
    service: service ?? null,
    environment: environment ?? null,
  };
}

function resolveFreeze(freeze: FreezeInput): FreezeSpec {
  return { ...resolveWindow(freeze), reason: freeze.reason ?? null };
}

function resolveWindow({ cron, duration, timeZone = gatesDefaults.timeZone }: WindowInput): WindowSpec {
  return { cron, durationMs: ms(duration), timeZone };
}

/** Members as they are when the release is made: a later config names others for releases to come. */
function resolveApproval(approval: ApprovalInput, { teams, otherNames }: People): ApprovalSpec {
  const { teams: named = [], people = [] } = approval;
  const all = [...new Set([...named.flatMap((team) => teams[team] ?? []), ...people])];
  return {
    from: [...named, ...people].join(", ") || "anybody",
    people: all.length === 0 ? null : all,
    ...(Object.keys(otherNames).length === 0 ? {} : { otherNames }),
    count: approval.count ?? gatesDefaults.count,
    authorMayApprove: approval.authorMayApprove ?? false,
    ...(approval.notify === undefined ? {} : { notify: approval.notify }),
    expiresMs: ms(approval.expires ?? gatesDefaults.expires),
  };
}
