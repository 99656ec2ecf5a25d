import type { Command } from "commander";
import { artifactMeanings, artifactNames } from "../../core/synth/artifact.ts";
import { act } from "./act.ts";

/** Files for those who stay with other tools. */
export function synth(slipway: Command): void {
  const width = Math.max(...artifactNames.map((name) => name.length));
  const list = artifactNames.map((name) => `  ${name.padEnd(width)}  ${artifactMeanings[name]}`).join("\n");
  act(
    slipway
      .command("synth")
      .argument("[artifacts...]", "which; all for all of them (default: those of synth in the config)")
      .description("write the files for those who stay with other tools: workflows, Compose, Caddyfile, scripts")
      .option("--check", "write nothing; show how the files differ, and fail when they do")
      .option("--force", "also replace files that people have changed or written; asks first, and says which")
      .option("-y, --yes", "do not ask")
      .addHelpText("after", `\nArtifacts:\n${list}`),
    async (artifacts, options) => (await import("../commands/synth.ts")).synth(artifacts, options),
  );
}
