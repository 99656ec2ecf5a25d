import type { Command } from "commander";
import { act, count } from "./act.ts";

/** Steps on other machines. */
export function agents(slipway: Command): void {
  act(
    slipway
      .command("agent")
      .description("run steps of pipelines for a control plane on another machine, until it is stopped")
      .requiredOption("--control-plane <url>", "its outer listener, by https://")
      .requiredOption("--token-file <file>", "what slipway agent-token has printed")
      .requiredOption("--labels <label,...>", "of those that the token is for")
      .option("--concurrency <number>", "steps at once", count, "1")
      .option("--directory <directory>", "where it works", ".slipway-agent")
      .option(
        "--engine <url>",
        "a container engine of this machine, for steps with an image: unix:///var/run/docker.sock",
      )
      .option("--once", "run one step, then end"),
    async (_, options) => (await import("../commands/agent.ts")).agent(options),
  );
  act(
    slipway.command("agents").description("the agents that have asked for work, and what they run"),
    async (_, options) => (await import("../commands/agent.ts")).agents(options),
  );
  act(
    slipway
      .command("agent-token")
      .argument("<agent>", "its name")
      .description("make a token for an agent: it is for steps with these labels, and nothing else")
      .requiredOption("--labels <label,...>", "which steps it may have")
      .option("--days <number>", "how long it holds", count, "90"),
    async ([agent = ""], options) => (await import("../commands/agent.ts")).makeAgentToken(agent, options),
  );
  act(
    slipway
      .command("agent-revoke")
      .argument("<agent>", "its name")
      .description("take back all tokens of an agent, at once: what it has in hand is given to another")
      .requiredOption("--reason <text>", "for the history"),
    async ([agent = ""], options) => (await import("../commands/agent.ts")).revokeAgent(agent, options),
  );
}
