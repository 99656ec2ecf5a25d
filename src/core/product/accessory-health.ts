import { accessoryDefaults } from "./accessory.ts";
import type { AccessoryHealthInput } from "./input.ts";
import { ms } from "./resolve-values.ts";
import type { AccessoryHealthSpec, AccessorySpec } from "./spec.ts";

export function resolveAccessoryHealth(input: AccessoryHealthInput): AccessoryHealthSpec {
  const { healthInterval, healthTimeout, healthDeadline } = accessoryDefaults;
  return {
    command: input.command ?? null,
    intervalMs: ms(input.interval ?? healthInterval),
    timeoutMs: ms(input.timeout ?? healthTimeout),
    deadlineMs: ms(input.deadline ?? healthDeadline),
  };
}

/** Also for one that says nothing of it, or is to be taken as it is: whoever restarts or replaces one wants to know. */
export function healthOf({ health }: Pick<AccessorySpec, "health">): AccessoryHealthSpec {
  return health === undefined || health === false ? defaultHealth : health;
}

const defaultHealth = resolveAccessoryHealth({});

/** What it is made of, and would be replaced for: how one knows that it is well is none of that. */
export function madeOf({ health, ...made }: AccessorySpec): Omit<AccessorySpec, "health"> {
  return made;
}
