import { type Command, Option } from "commander";
import { slipwayVersion } from "../version.ts";
import { act, count, several } from "./act.ts";
import { agents } from "./agents.ts";
import { flags } from "./flags.ts";
import { loadTest, pipeline, previews, triggers } from "./pipeline.ts";
import { synth } from "./synth.ts";
import { SlipwayCommand } from "./usage.ts";

/** The command line. Each command's code is loaded when it is asked for, so that a short one starts fast. */
export function program(): Command {
  const slipway = new SlipwayCommand("slipway")
    .description("Build, ship, watch and take back releases, from one typed file.")
    .version(slipwayVersion(), "-v, --version")
    .configureHelp({ showGlobalOptions: true })
    .option("--json", "print the result as JSON")
    .option("--state-dir <directory>", "where the control plane keeps its state (default: .slipway beside the config)")
    .exitOverride()
    .addHelpText("after", exitCodes);
  setUp(slipway);
  pipeline(slipway);
  loadTest(slipway);
  agents(slipway);
  flags(slipway);
  triggers(slipway);
  previews(slipway);
  synth(slipway);
  release(slipway);
  look(slipway);
  control(slipway);
  accessories(slipway);
  secrets(slipway);
  plane(slipway);
  servers(slipway);
  return slipway;
}

const exitCodes = `
Exit codes:
  0 ok   1 failed   2 usage or config invalid   3 failed and rolled back   4 rollback failed
  5 waiting for or refused approval   6 locked or frozen   124 timed out   130 interrupted`;

function setUp(slipway: Command): void {
  act(
    slipway
      .command("init")
      .description("look at this directory and write a slipway.config.ts that fits it")
      .option("--docker", "as containers on servers of yours, which you fill in")
      .option("--no-docker", "as processes on this machine (the default)")
      .option("--force", "replace an existing config"),
    async (_, options) => (await import("../commands/init.ts")).init(options),
  );
  act(
    slipway.command("validate").argument("[file]").description("check the config: every problem at once"),
    async ([file], options) => (await import("../commands/config.ts")).validate(file, options),
  );
  act(
    slipway
      .command("explain")
      .argument("<key>", "like services.web.health.interval")
      .description("what a key of the config means: unit, default, example"),
    async ([key = ""], options) => (await import("../commands/config.ts")).explain(key, options),
  );
}

function release(slipway: Command): void {
  const wait = (command: Command): Command =>
    command
      .option("--wait", "wait until it has ended (the default)", true)
      .option("--no-wait", "return when it has begun")
      .option("--timeout <duration>", "stop waiting after this, like 10m; it goes on")
      .option("--reason <text>", "why, for the history");
  const begin = (command: Command): Command =>
    wait(command)
      .option("--release <release>", "an existing release: r12, its id or its version")
      .option("--dry-run", "show the plan; make, deploy and change nothing")
      .addOption(
        new Option("--busy <policy>", "when another deployment is under way").choices(["queue", "replace", "refuse"]),
      )
      .option("--override-window", "begin outside the windows and in a freeze; needs --reason")
      .option("--override-budget", "begin although the error budget is spent; needs --reason")
      .option("-y, --yes", "do not ask");
  const elsewhere = (command: Command): Command =>
    command
      .option(
        "--control-plane <url>",
        "with --from-ci: the one there, proven by the job's ID token (default: SLIPWAY_URL)",
      )
      .option("--audience <text>", "with --from-ci: for whom the ID token is (default: the control plane's address)");
  act(
    elsewhere(begin(slipway.command("deploy").description("make a release of a commit and deploy it")))
      .requiredOption("-e, --env <environment>", "where to")
      .option("--commit <commit>", "commit, branch or tag (default: HEAD)")
      .option("--dirty", "take the working tree as it is; the release is marked +dirty")
      .option("--param <name=value>", "a parameter of the pipeline (slipway run params); may be repeated", several)
      .option("--from-ci", "the commit of the CI's job that runs this: GitHub, GitLab, Jenkins, Woodpecker, CircleCI"),
    async (_, options: { readonly fromCi?: boolean }) =>
      options.fromCi === true
        ? (await import("../commands/deploy-from-ci.ts")).deployFromCi(options as never)
        : (await import("../commands/deploy.ts")).deploy(options as never),
  );
  act(
    elsewhere(
      begin(
        slipway
          .command("promote")
          .argument("<environment>")
          .description("take the release of the environment before to this one, unchanged"),
      ),
    )
      .option("--from <environment>", "where it is live now")
      .option(
        "--from-ci",
        "from the job of a CI, which proves itself by its ID token where the control plane is elsewhere",
      ),
    async ([environment = ""], options: { readonly fromCi?: boolean }) =>
      options.fromCi === true
        ? (await import("../commands/promote-from-ci.ts")).promoteFromCi(environment, options as never)
        : (await import("../commands/deploy.ts")).promote(environment, options as never),
  );
  act(
    wait(
      slipway
        .command("rollback")
        .argument("<environment>")
        .description("go back to the last good release, its config included"),
    )
      .option("--to <release>", "to this release instead")
      .option("--force", "also to a release that failed there")
      .option("-y, --yes", "accepted for symmetry: a rollback never asks"),
    async ([environment = ""], options) => (await import("../commands/deploy.ts")).rollback(environment, options),
  );
  act(
    slipway
      .command("plan")
      .description("show what a deployment would do; builds and changes nothing")
      .requiredOption("-e, --env <environment>", "where to")
      .option("--commit <commit>", "commit, branch or tag (default: the working tree as it is)")
      .option("--release <release>", "an existing release: r12, its id or its version"),
    async (_, options) => (await import("../commands/plan.ts")).plan(options),
  );
}

function look(slipway: Command): void {
  act(
    slipway
      .command("status")
      .description("what is live where, and what is under way")
      .option("-e, --env <environment>", "only this one"),
    async (_, options) => (await import("../commands/status.ts")).status(options),
  );
  act(
    slipway
      .command("metrics")
      .description("what is measured now: traffic, errors, latency, use, health, probes")
      .option("-e, --env <environment>", "only this one")
      .option("-s, --service <service>", "only this one")
      .option("-w, --window <seconds>", "how far back the plots go", count, "300")
      .option("-f, --follow", "again every second"),
    async (_, options) => (await import("../commands/metrics.ts")).metrics(options),
  );
  act(
    slipway
      .command("uptime")
      .description("share of the known time that services were up, by the day")
      .option("-e, --env <environment>", "only this one")
      .option("-s, --service <service>", "only this one")
      .option("-d, --days <count>", "how many days, at most 31", count, "30"),
    async (_, options) => (await import("../commands/metrics.ts")).uptime(options),
  );
  act(
    slipway
      .command("history")
      .description("deployments: what, when, who, how it ended, why")
      .option("-e, --env <environment>", "only this one")
      .option("-n, --limit <count>", "how many", count, "20"),
    async (_, options) => (await import("../commands/records.ts")).history(options),
  );
  act(slipway.command("releases").description("releases and where they are live"), async (_, options) =>
    (await import("../commands/records.ts")).releases(options),
  );
  for (const pinned of [true, false]) {
    act(
      slipway
        .command(pinned ? "pin" : "unpin")
        .argument("<release>", "r12, its id or its version")
        .description(pinned ? "never prune this release" : "let it be pruned again")
        .option("--reason <text>", "why, for the history"),
      async ([release = ""], options: object) =>
        (await import("../commands/records.ts")).setPin(release, { ...options, pinned }),
    );
  }
  act(
    slipway
      .command("logs")
      .description("log lines of services, merged by time")
      .option("-e, --env <environment>", "only this one")
      .option("-s, --service <service>", "only this one")
      .option("--revision <revision>", "only this one")
      .option("--run <run>", "what the steps of a run printed, instead of services")
      .option("--step <step>", "with --run: only this step")
      .option("-n, --tail <lines>", "how many old lines first", count, "100")
      .option("-f, --follow", "go on with new lines"),
    async (_, options: { readonly run?: string }) =>
      options.run === undefined
        ? (await import("../commands/logs.ts")).logs(options as never)
        : (await import("../commands/run.ts")).runLogs({ ...options, run: options.run }),
  );
  act(
    slipway
      .command("exec")
      .argument("<command...>", "after --, like: -- node --version")
      .description("run a command beside a running instance, or in a fresh one")
      .requiredOption("-e, --env <environment>", "where")
      .requiredOption("-s, --service <service>", "beside which; an accessory too")
      .option("--instance <instance>", "beside this one (default: one that has the traffic)")
      .option("--fresh", "in a fresh instance of the live release, with its volumes, which goes when it has ended")
      .option("--release <release>", "with --fresh: of this release instead: r12, its id or its version")
      .option("-i, --interactive", "pass our input on")
      .option("-t, --tty", "with a terminal, like: -it -- sh")
      .option("--reason <text>", "why, for the history"),
    async (command, options) => (await import("../commands/command.ts")).execWithStreams(command, options),
  );
}

function control(slipway: Command): void {
  for (const [kind, description] of [
    ["pause", "hold the deployment under way; its bake stands still, its watch goes on"],
    ["resume", "let it go on"],
    ["cancel", "call it off; traffic returns to the stable release"],
  ] as const) {
    act(
      slipway
        .command(kind)
        .aliases(kind === "cancel" ? ["abort"] : [])
        .argument("<environment>", "or a deployment's id")
        .description(description)
        .option("--reason <text>", "why, for the history"),
      async ([what = ""], options) => (await import("../commands/control.ts")).ask(kind, what, options),
    );
  }
  act(
    slipway
      .command("promote-step")
      .argument("<environment>", "or a deployment's id")
      .description("take the next step of a canary now, and follow it")
      .option("--wait", "wait until it has ended (the default)", true)
      .option("--no-wait", "return when it is asked")
      .option("--timeout <duration>", "stop waiting after this, like 10m; it goes on")
      .option("--reason <text>", "why, for the history"),
    async ([what = ""], options) => (await import("../commands/control.ts")).promoteStep(what, options),
  );
  const word = (command: Command): Command =>
    command.argument("<environment>", "or a deployment's id").option("--reason <text>", "why, for the history");
  act(
    word(slipway.command("approve").description("say yes to a deployment that waits at its gates"))
      .option("-y, --yes", "do not ask")
      .option("--link", "make a link instead, at which somebody else may say yes or no, once")
      .option("--for <person>", "with --link: who speaks with it")
      .option("--expires <duration>", "with --link: how long it is good, at most 14d (default: 24h)"),
    async ([what = ""], options) => (await import("../commands/approve.ts")).approve(what, options),
  );
  act(
    word(slipway.command("reject").description("say no to it: it ends before it has begun")),
    async ([what = ""], options) => (await import("../commands/approve.ts")).reject(what, options),
  );
  for (const locked of [true, false]) {
    act(
      slipway
        .command(locked ? "lock" : "unlock")
        .argument("<environment>")
        .description(locked ? "keep deployments out; a rollback passes" : "let deployments in again")
        .option("--reason <text>", "why, for the history"),
      async ([environment = ""], options: object) =>
        (await import("../commands/control.ts")).setLock(environment, { ...options, locked }),
    );
  }
  act(
    slipway
      .command("scale")
      .argument("[service]", "only this one, with its changes before")
      .argument(
        "[instances]",
        "set it to so many, until somebody says otherwise; auto: as configured and measured again",
      )
      .description("how many instances run, within which limits and why; or set how many")
      .option("-e, --env <environment>", "where; must be given to set a number")
      .option("--wait", "wait until it is so (the default)", true)
      .option("--no-wait", "return when it has begun")
      .option("--timeout <duration>", "stop waiting after this, like 10m; it goes on")
      .option("--reason <text>", "why, for the history"),
    async ([service, instances], options) => (await import("../commands/scale.ts")).scale(service, instances, options),
  );
  act(
    slipway
      .command("rules")
      .argument("[name]", "only this one, with its plot and how it turned before")
      .description("the rules in force, and how each stands")
      .option("-e, --env <environment>", "only this one"),
    async ([name], options) => (await import("../commands/rules.ts")).rules(name, options),
  );
}

function accessories(slipway: Command): void {
  const accessory = slipway
    .command("accessory")
    .description("what services need and no release replaces: Redis, Postgres");
  act(
    accessory
      .command("list")
      .description("accessories, how they are, and where they differ from what is live")
      .option("-e, --env <environment>", "only this one"),
    async (_, options) => (await import("../commands/accessory.ts")).listAccessories(options),
  );
  for (const [what, description] of [
    ["restart", "stop it and start it again, as it is"],
    ["replace", "stop it, and start what the live release's config says; its named volumes stay"],
  ] as const) {
    act(
      accessory
        .command(what)
        .argument("<name>")
        .description(description)
        .requiredOption("-e, --env <environment>", "where")
        .option("--wait", "wait until it is well (the default)", true)
        .option("--no-wait", "return when it has begun")
        .option("--timeout <duration>", "stop waiting after this, like 10m; it goes on")
        .option("--reason <text>", "why, for the history")
        .option("-y, --yes", "do not ask"),
      async ([name = ""], options) => (await import("../commands/accessory.ts")).changeAccessory(what, name, options),
    );
  }
}

function secrets(slipway: Command): void {
  const secret = slipway
    .command("secret")
    .description("values that are not in git; a release is made with those of its day");
  act(
    secret
      .command("set")
      .argument("<name>", "of the variable, like DATABASE_URL")
      .description("keep a value: read from a pipe, or asked for without showing it")
      .requiredOption("-e, --env <environment>", "where")
      .option("--reason <text>", "why, for the history"),
    async ([name = ""], options) => (await import("../commands/secret.ts")).setSecret(name, options),
  );
  act(
    secret
      .command("list")
      .description("names, versions, who and when; never a value")
      .option("-e, --env <environment>", "only this one"),
    async (_, options) => (await import("../commands/secret.ts")).listSecrets(options),
  );
  act(
    secret
      .command("unset")
      .argument("<name>")
      .description("releases to come have no value of it")
      .requiredOption("-e, --env <environment>", "where")
      .option("--reason <text>", "why, for the history"),
    async ([name = ""], options) => (await import("../commands/secret.ts")).unsetSecret(name, options),
  );
}

function plane(slipway: Command): void {
  act(slipway.command("up").description("start the control plane in the background"), async (_, options) =>
    (await import("../commands/plane.ts")).up(options),
  );
  act(
    slipway
      .command("down")
      .description("stop the control plane; what is deployed goes on")
      .option("--all", "stop the edge and every revision too"),
    async (_, options) => (await import("../commands/plane.ts")).down(options),
  );
  act(
    slipway
      .command("dashboard")
      .description("print a link that opens the dashboard in a browser on this machine, once")
      .option("--end", "end every browser's session instead"),
    async (_, options) => (await import("../commands/dashboard.ts")).dashboard(options),
  );
  const edge = slipway.command("edge").description("what routes the traffic");
  act(
    edge.command("reload").description("put new workers on the code on disk, without a failed request"),
    async (_, options) => (await import("../commands/plane.ts")).reloadEdge(options),
  );
  act(slipway.command("doctor").description("what is wrong, in words"), async (_, options) =>
    (await import("../commands/doctor.ts")).doctor(options),
  );
  const state = slipway.command("state").description("copy the state, or put a copy back");
  act(
    state.command("backup").argument("<file>").description("write a consistent copy, while everything goes on"),
    async ([file = ""], options) => (await import("../commands/state.ts")).backupState(file, options),
  );
  act(
    state
      .command("restore")
      .argument("<file>")
      .description("put a copy in the place of the state; the old one is kept aside"),
    async ([file = ""], options) => (await import("../commands/state.ts")).restoreState(file, options),
  );
}

function servers(slipway: Command): void {
  const server = slipway
    .command("server")
    .description("make the machines ready that a product runs on, and look at them");
  const wanted = (command: Command): Command =>
    command
      .option("--user <name>", "the user that Slipway deploys as (default: deploy)")
      .addOption(
        new Option("--caddy <source>", "where Caddy comes from (default: distribution)").choices([
          "distribution",
          "official",
          "none",
        ]),
      )
      .option("--caddy-mirror <url>", "an apt repository laid out like Caddy's own")
      .option("--caddy-key <file>", "the OpenPGP key that signs the mirror, in ASCII armour")
      .option("--open <port...>", "open besides SSH, 80 and 443, like 5432 or 51820/udp")
      .option("--trust <range...>", "addresses that may reach everything: the environment's other hosts")
      .option("--ssh-config <file>", "instead of ~/.ssh/config and of $SLIPWAY_SSH_CONFIG");
  act(
    wanted(
      server
        .command("bootstrap")
        .argument("[host]", "like ssh://root@203.0.113.7")
        .description("make a fresh Debian or Ubuntu server ready; safe to repeat"),
    )
      .option("--key <file...>", "public keys of the deploy user (default: those of the user who logs in)")
      .option(
        "--undo-after <seconds>",
        "take SSH and firewall back unless a new login works within this (default: 120)",
      )
      .option("--dry-run", "show the plan, change nothing")
      .option("-y, --yes", "do not ask")
      .option("--script <file>", "where the steps are written as a shell script (default: init-server.sh)")
      .option("--no-script", "write no script")
      .option("--script-only", "print the script, do nothing else"),
    async ([host], options) => (await import("../commands/server.ts")).bootstrap(host, options),
  );
  act(
    wanted(
      server
        .command("check")
        .argument("<host>", "like ssh://root@203.0.113.7")
        .description("what is not as it should be on a server; changes nothing"),
    ).option("--domain <name...>", "names that should lead to it: their DNS and certificates are looked at too"),
    async ([host = ""], options) => (await import("../commands/server.ts")).checkServer(host, options),
  );
}
