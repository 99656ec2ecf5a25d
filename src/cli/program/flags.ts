import type { Command } from "commander";
import { act } from "./act.ts";

/** Switches in the code that are turned without a release. */
export function flags(slipway: Command): void {
  act(
    slipway
      .command("flags")
      .description("the feature flags of an environment: who has them on, and what was set by hand")
      .requiredOption("-e, --env <environment>", "which environment"),
    async (_, options) => (await import("../commands/flag.ts")).flags(options),
  );
  act(
    slipway
      .command("flag")
      .description("turn a feature flag without a release")
      .command("set")
      .argument("<flag>")
      .argument("<value>", "on, off, a percentage such as 25%, or config: as the config says")
      .description("turn it in an environment, from now on, whatever is released; in the history with who and why")
      .requiredOption("-e, --env <environment>", "which environment")
      .requiredOption("--reason <text>", "why"),
    async ([flag = "", value = ""], options) => (await import("../commands/flag.ts")).setFlag(flag, value, options),
  );
}
