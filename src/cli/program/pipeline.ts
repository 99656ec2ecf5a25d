import type { Command } from "commander";
import { act, count, several } from "./act.ts";

/** Runs, and what is known of them. */
export function pipeline(slipway: Command): void {
  const run = slipway
    .command("run")
    .description("take a commit through the pipeline, or some of its steps; makes no release")
    .option("--step <step>", "only this one, and what it needs; may be repeated", several)
    .option("-s, --service <service>", "only this one's steps, and what they need; may be repeated", several)
    .option("--param <name=value>", "a parameter of the pipeline (slipway run params); may be repeated", several)
    .option("--commit <commit>", "commit, branch or tag (default: HEAD)")
    .option("--dirty", "take the working tree as it is")
    .option("--no-cache", "run every step, also where nothing has changed")
    .option("--wait", "wait until it has ended (the default)", true)
    .option("--no-wait", "return when it has begun")
    .option("--timeout <duration>", "stop waiting after this, like 10m; it goes on");
  act(run, async (_, options) => (await import("../commands/run.ts")).run(options));
  act(
    run.command("params").description("what may be said with --param: each with what is allowed, and what it is else"),
    async (_, options) => (await import("../commands/run-parameters.ts")).runParameters(options),
  );
  act(
    run.command("show").argument("<run>").description("one run: its steps, and why it failed"),
    async ([id = ""], options) => (await import("../commands/run.ts")).showRun(id, options),
  );
  act(
    run
      .command("artifacts")
      .argument("<run>")
      .description("what its steps have left to be looked at, and their reports; with --output brought here")
      .option("--step <step>", "only this one's; may be repeated", several)
      .option("-o, --output <directory>", "where to, a directory for each step"),
    async ([id = ""], options) => (await import("../commands/run.ts")).runArtifacts(id, options),
  );
  act(
    run
      .command("cancel")
      .argument("<run>")
      .description("end a run, with all that its steps have started")
      .option("--reason <text>", "why"),
    async ([id = ""], options) => (await import("../commands/run.ts")).cancelRun(id, options),
  );
  act(
    slipway
      .command("runs")
      .description("runs of the pipeline, the newest first")
      .option("-n, --limit <count>", "how many", count, "20"),
    async (_, options) => (await import("../commands/run.ts")).runs(options),
  );
}

/** Tests of what is live. */
export function loadTest(slipway: Command): void {
  act(
    slipway
      .command("load-test")
      .argument("<environment>")
      .description("run the load tests of an environment, against the release that is live there")
      .option("--wait", "wait until they have ended (the default)", true)
      .option("--no-wait", "return when they have begun")
      .option("--timeout <duration>", "stop waiting after this, like 10m; they go on"),
    async ([environment = ""], options) => (await import("../commands/run.ts")).loadTest(environment, options),
  );
}

/** What begins them by itself. */
export function triggers(slipway: Command): void {
  const triggers = slipway
    .command("triggers")
    .description("what begins runs by itself, where webhooks come in, and what was heard last")
    .option("-n, --limit <count>", "how many events", count, "20");
  act(triggers, async (_, options) => (await import("../commands/triggers.ts")).triggers(options));
  act(
    triggers.command("apply").description("put the triggers of the config, as it stands here, in force"),
    async (_, options) => (await import("../commands/triggers.ts")).applyTriggers(options),
  );
  act(
    triggers
      .command("begin")
      .argument("<branch>", "of the remote")
      .description("by hand, what a push to a branch would begin, with its newest commit"),
    async ([branch = ""], options) => (await import("../commands/triggers.ts")).beginTrigger(branch, options),
  );
}

/** The environments of branches and pull requests. */
export function previews(slipway: Command): void {
  act(
    slipway
      .command("previews")
      .description("environments of branches and pull requests: where, how old, what they cost"),
    async (_, options) => (await import("../commands/previews.ts")).previews(options),
  );
  const preview = slipway.command("preview").description("make, stop, start or remove one by hand");
  act(
    preview
      .command("create")
      .argument("<branch>", "of the remote")
      .description("by hand, what a push to a branch with previews begins, with its newest commit")
      .option("--template <environment>", "what it is made of, where there are several"),
    async ([branch = ""], options) => (await import("../commands/previews.ts")).createPreview(branch, options),
  );
  for (const [way, description] of [
    ["sleep", "stop one until somebody asks for it, or wakes it"],
    ["wake", "start one that sleeps"],
  ] as const)
    act(
      preview
        .command(way)
        .argument("<preview>", "like pr-12 or preview/pr-12")
        .description(description)
        .option("--reason <text>", "why, for the history"),
      async ([name = ""], options) => (await import("../commands/previews.ts")).restPreview(way, name, options),
    );
  act(
    preview
      .command("remove")
      .argument("<preview>", "like pr-12 or preview/pr-12")
      .description("remove one, with all that it has")
      .option("--reason <text>", "why, for the history"),
    async ([name = ""], options) => (await import("../commands/previews.ts")).removePreview(name, options),
  );
}
