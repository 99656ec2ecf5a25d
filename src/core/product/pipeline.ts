import { z } from "zod";
import { expectationHelp, parseExpectation } from "../pipeline/load.ts";
import { named, optional, required } from "./key.ts";
import { imageReference } from "./mount-values.ts";
import { parameterSchema } from "./parameter.ts";
import { sharedCacheSchema } from "./shared-cache.ts";
import {
  checkedText,
  choice,
  command,
  day,
  decimal,
  duration,
  environmentText,
  environmentValue,
  environmentVariable,
  flag,
  insidePath,
  name,
  size,
  text,
  wholeNumber,
} from "./values.ts";
import { show } from "./wording.ts";

/** What a step does without a command of its own; `checkout` is there for those who like to name it. */
export const builtInSteps = [
  ...(["checkout", "install", "lint", "format", "typecheck", "unit", "build"] as const),
  ...(["integration", "scan", "image", "publish"] as const),
] as const;
export type BuiltInStep = (typeof builtInSteps)[number];

export const runEvents = ["manual", "deploy", "push", "pull-request", "tag", "schedule"] as const;
export type RunEvent = (typeof runEvents)[number];

export const pipelineDefaults = {
  timeout: "10m",
  retries: 2,
  retryWait: "1s",
  disk: "10GB",
  whenLost: "again",
  failOn: "high",
  loadMinimum: 100,
  engine: "unix:///var/run/docker.sock",
  network: "open",
  memory: "2GB",
  ready: "1m",
  composeFile: "docker-compose.integration.yml",
} as const;

/** What the built-in scan writes, and what is read of it where the config does not say. */
export const scanFiles = ["npm-audit.json", "pip-audit.json"] as const;

/** More combinations than this are a mistake. */
export const maxCombinations = 64;

const globs = () => z.array(insidePath()).min(1).max(200);

const whenSchema = named(
  "StepWhenInput",
  "When a step is part of a run. All that is given must hold.",
  z.strictObject({
    branch: optional(z.array(text()).min(1).max(50), {
      meaning: "Only for commits of one of these branches; * stands for any text.",
      default: "(every branch)",
      example: ["main", "release/*"],
    }),
    paths: optional(globs(), {
      meaning:
        "Only when a file that matches has changed since the commit of the newest release; * stands for a part of a name, ** for any path. Without a release everything has changed.",
      default: "(whatever has changed)",
      example: ["api/**", "package-lock.json"],
    }),
    event: optional(z.array(choice(runEvents)).min(1), {
      meaning: "Only for runs that began this way.",
      default: "(however it began)",
      example: ["manual", "deploy"],
    }),
  }),
);

const retrySchema = named(
  "StepRetryInput",
  "How often a step that has failed is tried again, and why that is right.",
  z.strictObject({
    attempts: optional(wholeNumber({ min: 2, max: 10 }), {
      meaning: "Attempts in all, the first included.",
      default: pipelineDefaults.retries,
      example: 3,
    }),
    reason: required(text(), {
      meaning: "Why it may fail without being wrong; shown with every attempt after the first.",
      example: "the registry is slow at night",
    }),
    wait: optional(duration({ max: "10m" }), {
      meaning: "Time before the second attempt; doubles with each.",
      default: pipelineDefaults.retryWait,
      example: "10s",
    }),
  }),
);

const reportsSchema = named(
  "StepReportsInput",
  "Reports that a step writes; read when it has ended, also when it has failed.",
  z.strictObject({
    junit: optional(globs(), {
      meaning: "JUnit XML files, relative to the step's path: their failing tests are shown.",
      default: "(none)",
      example: ["reports/junit.xml"],
    }),
    coverage: optional(globs(), {
      meaning: "Coverage as lcov or Cobertura XML.",
      default: "(none)",
      example: ["coverage/lcov.info"],
    }),
    sarif: optional(globs(), {
      meaning: "Findings as SARIF 2.1.0.",
      default: "(none)",
      example: ["reports/*.sarif"],
    }),
    scan: optional(globs(), {
      meaning:
        "Findings as the JSON of the audits of npm, pnpm, yarn, bun or pip, of Bandit, Trivy or Gitleaks, or as SARIF; which, is seen.",
      default: "(none; those of the built-in scan)",
      example: ["npm-audit.json"],
    }),
    load: optional(globs(), {
      meaning: "What a load test has measured: the JSON of autocannon --json, or of artillery run --output.",
      default: "(none)",
      example: ["load.json"],
    }),
  }),
);

const scanSchema = named(
  "StepScanInput",
  "Which findings fail a step. Its tool may end with 1, as scanners do that have found something; a report that is not there or cannot be read fails it too.",
  z.strictObject({
    failOn: optional(choice(["critical", "high", "medium", "low"]), {
      meaning: "A finding of this severity or a worse one fails it; so does one whose severity its tool does not tell.",
      default: pipelineDefaults.failOn,
      example: "critical",
    }),
    newSince: optional(environmentText(), {
      meaning:
        "An environment: only findings that the release which is live there did not have, when this step looked at it, fail it.",
      default: "(every finding counts)",
      example: "production",
    }),
  }),
);

function expectation(): z.ZodType<string, string> {
  return checkedText({ type: "string", allowed: expectationHelp }, (seen) =>
    parseExpectation(seen) === null ? `${show(seen)} says nothing about a load test; use ${expectationHelp}` : null,
  );
}

const loadTestSchema = named(
  "StepLoadTestInput",
  "Makes a step a load test: it runs when somebody asks for it (slipway load-test <environment>), against what is live there.",
  z.strictObject({
    environment: required(environmentText(), {
      meaning: "Which environment it tests; the step has its address as SLIPWAY_EDGE_URL.",
      example: "staging",
    }),
    expect: required(z.array(expectation()).min(1).max(20), {
      meaning: `What its report must show: ${expectationHelp}.`,
      example: ["p95 < 800 ms", "success > 99.9 %"],
    }),
    minimum: optional(wholeNumber({ min: 1, max: 1_000_000_000 }), {
      meaning: "Requests that it must have made for anything to be told.",
      default: pipelineDefaults.loadMinimum,
      example: 5_000,
    }),
  }),
);

const waiverSchema = named(
  "WaiverInput",
  "Somebody's word that a finding may stay, until a day.",
  z.strictObject({
    finding: required(text(), {
      meaning: "Its advisory or rule, or its fingerprint, as slipway run shows them.",
      example: "GHSA-35jh-r3h4-6jhm",
    }),
    in: optional(text(), {
      meaning: "Only in this package, or in files that match.",
      default: "(wherever it is)",
      example: "lodash",
    }),
    owner: required(text(), { meaning: "Who answers for it.", example: "ada" }),
    reason: required(text(), { meaning: "Why it may stay.", example: "only a build tool uses it" }),
    expires: required(day(), {
      meaning: "Its last day, in UTC. From the next day on it counts no more.",
      example: "2026-12-31",
    }),
  }),
);

const composeSchema = named(
  "StepComposeInput",
  "A Compose file whose services are started for this step alone: without the ports, volumes and networks of anybody else, and with nothing of the machine but the checkout.",
  z.strictObject({
    file: optional(composeFiles(), {
      meaning:
        "The Compose file, or several that are laid over each other, relative to the step's path. `$NAME` in it is what env, secrets and a .env beside it say.",
      default: pipelineDefaults.composeFile,
      example: ["docker-compose.yml", "docker-compose.test.yml"],
      allowed: 'a path, or a list of paths, such as "docker-compose.integration.yml"',
    }),
    exitCodeFrom: optional(text(), {
      meaning:
        "The service that tests: it is started when all others are ready, with its own command, and its exit code is the step's. As in docker compose up --exit-code-from.",
      default: "(none: the step has an image and a command of its own, in all networks of the file)",
      example: "tests",
    }),
    profiles: optional(z.array(text()).max(20), {
      meaning: "Profiles whose services are started too.",
      default: [],
      example: ["mail"],
      allowed: 'a list of names, such as ["mail"]',
    }),
  }),
);

function composeFiles(): z.ZodType<string | string[], string | string[]> {
  return z.union([insidePath(), z.array(insidePath()).min(1).max(10)]);
}

function localEngine(): z.ZodType<string, string> {
  const allowed = "the socket of an engine of this machine, such as unix:///var/run/docker.sock";
  return checkedText({ type: "string", allowed, pattern: "^unix:///" }, (seen) =>
    /^unix:\/\/\/[^\0]+$/.test(seen) ? null : `${show(seen)} is not on this machine; use ${allowed}`,
  );
}

const stepSchema = named(
  "PipelineStepInput",
  "One step of a pipeline. Without command and shell it is a built-in one: that of its name, or of uses.",
  z.strictObject({
    uses: optional(choice(builtInSteps), {
      meaning:
        "A built-in step: install runs the package manager that packageManager or the lock file names, lint, format, typecheck, unit and build what package.json or pyproject.toml has for it, scan the audit of the package manager whose lock file is there, and pip-audit. integration brings up docker-compose.integration.yml, or with an image runs test:integration beside the accessories; image makes the service's image as a release would; publish brings the package to its registry, once for each version.",
      default: "(the step's name, when that is one of them)",
      example: "unit",
    }),
    command: optional(command(), {
      meaning: "Argument array; the first is looked up on PATH. Never a shell string: for that there is shell.",
      default: "(that of the built-in step)",
      example: ["npm", "run", "test:unit"],
    }),
    shell: optional(text(), {
      meaning: "A line for sh -euc, where a shell is what is wanted.",
      default: "(none)",
      example: "npm pack && ls -l *.tgz",
    }),
    path: optional(insidePath(), {
      meaning: "Directory it runs in, in the repository.",
      default: "(the service's path; the top for steps of the product)",
      example: "packages/ui",
    }),
    needs: optional(z.array(text()).max(200), {
      meaning:
        'Steps that must have passed before: of the same pipeline, of the product\'s, or of another service as "api/build". With a matrix all of its combinations.',
      default: "(install, for a built-in step where there is one; else none)",
      example: ["install", "lint"],
    }),
    when: optional(whenSchema, {
      meaning: "When it is part of a run. A step that is left out counts as passed for those that need it.",
      default: {},
      example: { branch: ["main"], paths: ["api/**"] },
    }),
    matrix: optional(z.record(environmentVariable(), z.array(environmentValue()).min(1).max(20)), {
      meaning: "Runs once for each combination; each name is an environment variable of the step.",
      default: {},
      example: { DATABASE: ["postgres", "mysql"] },
      allowed: 'names and lists of texts, such as { DATABASE: ["postgres", "mysql"] }',
    }),
    timeout: optional(duration({ min: "1s", max: "1d" }), {
      meaning: "An attempt that has not ended by then is stopped, with all that it has started, and has failed.",
      default: pipelineDefaults.timeout,
      example: "30m",
    }),
    retry: optional(retrySchema, {
      meaning: "Tries again when it has failed.",
      default: "(one attempt)",
      example: { attempts: 3, reason: "the registry is slow at night" },
    }),
    whenLost: optional(choice(["again", "fail"]), {
      meaning:
        "What is done when nobody knows how it ended, because the machine went down under it: run it again, or call it failed. For steps that must not happen twice.",
      default: pipelineDefaults.whenLost,
      example: "fail",
    }),
    allowFailure: optional(flag(), {
      meaning: "Whether the run may pass when it has failed; what needs it goes on.",
      default: false,
      example: true,
    }),
    env: optional(z.record(environmentVariable(), environmentValue()), {
      meaning:
        "Environment variables, beside PATH, HOME, LANG, CI and those that begin with SLIPWAY_. Nothing else is inherited. Not for secrets.",
      default: {},
      example: { NODE_ENV: "test" },
      allowed: 'names and texts, such as { NODE_ENV: "test" }',
    }),
    secrets: optional(z.array(environmentVariable()).max(100), {
      meaning:
        "Environment variables whose values are not in git: slipway secret set <name> -e pipeline. They are masked in its log.",
      default: [],
      example: ["NPM_TOKEN"],
      allowed: 'a list of names, such as ["NPM_TOKEN"]',
    }),
    inputs: optional(globs(), {
      meaning:
        "What its result depends on, relative to its path. With inputs a step that has passed with the same files, command, variables and tools is not run again: its outputs and its log are restored.",
      default: "(none: it is always run)",
      example: ["src/**", "package.json"],
    }),
    outputs: optional(globs(), {
      meaning: "Files and directories that it makes, relative to its path; kept with its result where it has inputs.",
      default: "(none)",
      example: ["dist"],
    }),
    artifacts: optional(globs(), {
      meaning:
        "Files and directories that it leaves to be looked at, whether it has passed or not: screenshots, reports in HTML, packages. Kept with the run, as its reports are, for as long as its log; at most 100 MB a step: slipway run artifacts <run>.",
      default: "(none)",
      example: ["playwright-report"],
    }),
    tools: optional(z.array(name("tool")).max(20), {
      meaning:
        "Programs whose version its result depends on too, beside that of node, npm and, where there is anything for it, python3.",
      default: [],
      example: ["go"],
    }),
    reports: optional(reportsSchema, {
      meaning: "Test reports, coverage and findings that it writes.",
      default: {},
      example: { junit: ["reports/junit.xml"] },
    }),
    runsOn: optional(z.array(name("label")).min(1).max(20), {
      meaning:
        "Runs it on another machine: by an agent that has all of these labels (slipway agent), and an engine where the step has an image. It gets the checkout with all that earlier steps made; its outputs and reports come back.",
      default: "(the control plane's machine)",
      example: ["linux", "x64"],
    }),
    image: optional(imageReference(), {
      meaning:
        "Runs it in a container of this image: it sees the checkout, at /workspace, and nothing else of the machine, has no privileges, and is ended with all that it has started. Secrets need sh in the image.",
      default: "(none: it is a process of the machine)",
      example: "node:22-slim",
    }),
    network: optional(choice(["open", "none"]), {
      meaning: "For a container: whether it reaches the outside. What is beside it is reached either way.",
      default: pipelineDefaults.network,
      example: "none",
    }),
    memory: optional(size({ minBytes: 6_000_000 }), {
      meaning: "For a container: memory it may use.",
      default: pipelineDefaults.memory,
      example: "4GB",
    }),
    cpu: optional(decimal({ min: 0.01, max: 256 }), {
      meaning: "For a container: cores it may use.",
      default: "(all)",
      example: 1.5,
    }),
    beside: optional(z.array(name("accessory")).max(20), {
      meaning:
        "For a container: accessories of the config that are started for it alone, empty, in a network of their own, under their own names; waited for until they are ready, and removed with it. When it fails their logs are kept with its own.",
      default: [],
      example: ["redis"],
    }),
    compose: optional(composeSchema, {
      meaning:
        "Services of a Compose file that are started for it alone, as with beside. Its exit code is that of one of them, or that of its own command in an image.",
      default: "(none)",
      example: { file: "docker-compose.integration.yml", exitCodeFrom: "tests" },
    }),
    ready: optional(duration({ min: "1s", max: "30m" }), {
      meaning:
        "How long what is beside it is waited for: until its image's health check, else its port says that it is ready.",
      default: pipelineDefaults.ready,
      example: "2m",
    }),
    loadTest: optional(loadTestSchema, {
      meaning: "Makes it a load test of what is live in an environment: its report says whether it has passed.",
      default: "(none)",
      example: { environment: "staging", expect: ["p95 < 800 ms", "success > 99.9 %"] },
    }),
    scan: optional(scanSchema, {
      meaning: "Makes it a scan: what its reports have found says whether it has passed. It is always run.",
      default: "(none; the built-in scan has one)",
      example: { failOn: "high", newSince: "production" },
    }),
  }),
);

const stepsByName = z.record(name("step"), stepSchema);

const stepsDoc = {
  meaning: "The steps, by name. A step begins when all that it needs have passed.",
  default: {},
  example: { install: {}, lint: {}, unit: { timeout: "5m" }, pack: { command: ["npm", "pack"], needs: ["unit"] } },
  allowed: 'names and steps, such as { unit: { command: ["npm", "test"] } }',
} as const;

/** Of the product: runs before a release is made. */
export const pipelineSchema = named(
  "PipelineInput",
  "What a commit has to pass before it becomes a release.",
  z.strictObject({
    steps: optional(stepsByName, stepsDoc),
    parallel: optional(wholeNumber({ min: 1, max: 64 }), {
      meaning: "How many steps run at once.",
      default: "(the number of cores)",
      example: 2,
    }),
    engine: optional(localEngine(), {
      meaning: "The container engine for steps with an image: of this machine, because they see the checkout.",
      default: pipelineDefaults.engine,
      example: "unix:///run/user/1000/docker.sock",
    }),
    cache: optional(sharedCacheSchema, {
      meaning:
        "Shares the results of steps with inputs with other control planes. A store that is away or slow holds up no step, and results of steps with secrets stay here.",
      default: "(none: they stay on this machine)",
      example: { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "acme-steps", region: "eu-central-1" },
    }),
    disk: optional(size({ minBytes: 10_000_000 }), {
      meaning: "What a run's workspace may hold. A step under which it becomes more is stopped.",
      default: pipelineDefaults.disk,
      example: "2GB",
    }),
    parameters: optional(z.record(name("parameter"), parameterSchema), {
      meaning: "What may be said when a run is begun by hand: slipway run --param level=full.",
      default: {},
      example: { level: { default: "quick", allowed: ["quick", "full"] }, shards: { default: 2, min: 1, max: 8 } },
      allowed: 'names and parameters, such as { level: { default: "quick" } }',
    }),
    waivers: optional(z.array(waiverSchema).max(200), {
      meaning: "Findings that may stay for a time, for all scan steps. One that is over counts no more, and is named.",
      default: [],
      example: [
        { finding: "GHSA-35jh-r3h4-6jhm", owner: "ada", reason: "only a build tool uses it", expires: "2026-12-31" },
      ],
      allowed: 'a list such as [{ finding: "GHSA-…", owner: "ada", reason: "…", expires: "2026-12-31" }]',
    }),
  }),
);

export const pipelineDoc = {
  meaning:
    "What a commit has to pass before it becomes a release: a graph of steps, for the product and for each service.",
  default: "(none: artifacts are built, and that is all)",
  example: { steps: { install: {}, lint: {}, unit: {} } },
} as const;

/** Of a service: the same steps, run in its path. */
export const servicePipelineSchema = named(
  "ServicePipelineInput",
  "What a service has to pass before its product becomes a release.",
  z.strictObject({ steps: optional(stepsByName, stepsDoc) }),
);

export const servicePipelineDoc = {
  meaning: "Its own steps of the product's pipeline; they run in its path.",
  default: "(none)",
  example: { steps: { unit: { needs: ["install"] } } },
} as const;
