import type { Step } from "./step.ts";
import { access } from "./steps/access.ts";
import { ground } from "./steps/ground.ts";
import { platform } from "./steps/platform.ts";
import { system } from "./steps/system.ts";

/** The whole audit, in the order in which it is made true. `check`, `bootstrap` and the script are this list. */
export const steps: readonly Step[] = [...ground, ...system, ...platform, ...access];
