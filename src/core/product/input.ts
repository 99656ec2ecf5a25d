// Written by `npm run docs` from the schemas and key docs beside it. Do not edit.
import type { HeldLine, RuleLine } from "./rule-line.ts";
import type { JsonShape } from "./spec.ts";
import type { Duration, Percent, Size } from "./units.ts";

/** How a product is built, shipped, watched and taken back. */
export interface ProductInput {
  /**
   * Where an editor finds the JSON Schema of this file; for JSON and YAML.
   * @default none
   * @example "./node_modules/slipway/schema/slipway.schema.json"
   */
  $schema?: string | undefined;
  /**
   * The product's name, in every status, log and path.
   * @example "shop"
   */
  name: string;
  /**
   * The product's deployable parts, by name. All are released and taken back as one unit. With target compose they come
   * from the Compose file, and what is said here lies over that.
   * @default with target compose those of the Compose file; else at least one must be given
   * @example { web: { kind: "web", command: ["node", "server.js"] } }
   */
  services?: Record<string, ServiceInput> | undefined;
  /**
   * What a commit has to pass before it becomes a release: a graph of steps, for the product and for each service.
   * @default none: artifacts are built, and that is all
   * @example { steps: { install: {}, lint: {}, unit: {} } }
   */
  pipeline?: PipelineInput | undefined;
  /**
   * What begins runs, releases and deployments by itself: pushes, tags, the clock. In force after slipway triggers
   * apply.
   * @default none: everything is begun by hand
   * @example { branches: { main: { deploy: "production" }, "feature/*": {} }, webhook: { forge: "github", listen:
   * ":9800" } }
   */
  triggers?: TriggersInput | undefined;
  /**
   * How a release takes the traffic and when it is taken back.
   * @default {}
   * @example { strategy: "blue-green", bake: "10m" }
   */
  rollout?: RolloutInput | undefined;
  /**
   * How requests come in.
   * @default {}
   * @example { listen: ":8080", redirectWww: true }
   */
  edge?: EdgeInput | undefined;
  /**
   * What is kept.
   * @default {}
   * @example { releases: 10 }
   */
  retention?: RetentionInput | undefined;
  /**
   * Where the product runs.
   * @default { driver: "process" }
   * @example { driver: "docker", hosts: ["ssh://deploy@vm1"] }
   */
  target?: TargetInput | undefined;
  /**
   * What the services need and what is not released with them, by name. For targets that run containers.
   * @default {}
   * @example { redis: { image: "redis:7.4", port: 6379, volumes: ["redis:/data"] } }
   */
  accessories?: Record<string, AccessoryInput> | undefined;
  /**
   * Where images are pushed to and pulled from. Without one, hosts are sent the layers that they lack.
   * @default none
   * @example { repository: "ghcr.io/acme/shop", user: "deploy-bot", passwordFrom: "REGISTRY_TOKEN" }
   */
  registry?: RegistryInput | undefined;
  /**
   * What is looked at again and again while the product runs, by name. Rules know each by its name.
   * @default {}
   * @example { database: { postgres: { urlFrom: "DATABASE_URL" } } }
   */
  probes?: Record<string, ProbeInput> | undefined;
  /**
   * Numbers from elsewhere that are measured while the product runs, by name. Rules know each by its name.
   * @default {}
   * @example { orders: { prometheus: { url: "http://prometheus.internal:9090", query: "sum(rate(orders_total[5m]))" } }
   * }
   */
  metrics?: Record<string, MetricInput> | undefined;
  /**
   * What is watched at all times, by name, and what is done about it: taking a release back, holding a deployment,
   * telling somebody. Stays in force after the bake, until the release is superseded.
   * @default {}
   * @example { errors: "error ratio > 10% for 5m -> rollback", "slow-api": "latency p95 of api > 800ms over 5m ->
   * notify team", memory: "memory share > 80% during mon-fri 09:00-17:00 Europe/Berlin -> warning, notify team" }
   */
  rules?: Record<string, RuleLine | RuleInput> | undefined;
  /**
   * Feature flags, by name. Services ask for them by OpenFeature (slipway/openfeature); slipway flag set turns one
   * without a release, and a rule may switch one off: -> flag off <name>.
   * @default {}
   * @example { "new-checkout": { percentage: "10%", rules: [{ when: { plan: ["staff"] } }] } }
   */
  flags?: Record<string, FlagInput> | undefined;
  /**
   * Where services ask for their flags. They find it, and a token that only reads, in SLIPWAY_FLAGS_URL and
   * SLIPWAY_FLAGS_TOKEN.
   * @default nowhere: flags keep the values that the code gives them
   * @example { listen: "127.0.0.1:9810" }
   */
  flagServer?: FlagServerInput | undefined;
  /**
   * Who is told when rules fire, by name.
   * @default {}
   * @example { team: { urlFrom: "SLACK_WEBHOOK" } }
   */
  notifiers?: Record<string, NotifierInput> | undefined;
  /**
   * Groups of people, by name, for gates. A person is who the history names: ada is ada at every machine, ada@laptop
   * only there.
   * @default {}
   * @example { ops: ["ada", "grace@example.com"] }
   */
  teams?: Record<string, string[]> | undefined;
  /**
   * What else a person is called, for gates: by git, the forge and machines. Whoever wrote a commit under one of them
   * may not approve it under another. With an @ it is the whole name, without one what stands before it.
   * @default {}
   * @example { ada: ["Ada Lovelace", "lovelace@example.com"] }
   */
  people?: Record<string, string[]> | undefined;
  /**
   * Which files slipway synth writes, for those who stay with other tools; slipway synth --check finds drift.
   * @default only what the command names
   * @example { github: true, compose: true, deployment: true }
   */
  synth?: SynthInput | undefined;
  /**
   * The named places of the product, each with what is different there.
   * @default { production: {} }
   * @example { staging: { edge: { listen: ":8081" } }, production: { promoteFrom: "staging" } }
   */
  environments?: Record<string, EnvironmentInput> | undefined;
}

/** One deployable part of a product. */
export interface ServiceInput {
  /**
   * What it is: web listens for HTTP, worker runs for ever without listening, job runs once in each deployment, static
   * is files that Slipway serves.
   * @default must be given, unless the service is one of a Compose file
   * @example "web"
   */
  kind?: "web" | "worker" | "job" | "static" | undefined;
  /**
   * Directory in the repository that is built and packed; nothing outside it is.
   * @default "."
   * @example "apps/web"
   */
  path?: string | undefined;
  /**
   * How its files are made before they are packed; without it they are packed as committed.
   * @default none
   * @example { command: ["npm", "run", "build"], output: "dist" }
   */
  build?: BuildInput | undefined;
  /**
   * For containers: how the image is made, or an image that is there already. Environments that run processes do not
   * look at it.
   * @default made by the Dockerfile in the service's path, or by one that fits what is there
   * @example { dockerfile: "Dockerfile", secrets: ["NPM_TOKEN"] }
   */
  image?: string | ImageInput | undefined;
  /**
   * Services that must be healthy, or jobs that must have succeeded, before this one starts.
   * @default []
   * @example ["api", "migrate"]
   */
  needs?: string[] | undefined;
  /**
   * Its own steps of the product's pipeline; they run in its path.
   * @default none
   * @example { steps: { unit: { needs: ["install"] } } }
   */
  pipeline?: ServicePipelineInput | undefined;
  /**
   * Argument array, run in the unpacked artifact; the first is looked up on PATH. Never a shell string. Every service
   * but a static one has one, unless its image has. A web service listens on the port it is given in PORT.
   * @default the image's own; must be given for a process unless kind is static
   * @example ["node", "server.js"]
   */
  command?: string[] | undefined;
  /**
   * How one knows that an instance is healthy.
   * @default {}
   * @example { path: "/up", deadline: "2m" }
   */
  health?: HealthInput | undefined;
  /**
   * How soon users have to be off a bad release once it is known to be bad: frontend 2m, backend 5m, database 15m.
   * Measured at each automatic rollback; nothing else depends on it.
   * @default frontend for web and static, else backend
   * @example "backend"
   */
  tier?: "frontend" | "backend" | "database" | undefined;
  /**
   * That time, where the tier's does not fit.
   * @default by tier: 2m, 5m, 15m
   * @example "1m"
   */
  restoreWithin?: Duration | undefined;
  /**
   * Time between SIGTERM and SIGKILL when an instance is stopped.
   * @default "30s"
   * @example "2m"
   */
  stopGrace?: Duration | undefined;
  /**
   * How many instances run; with scale, how many the first release begins with. A job runs once and has none.
   * @default 1; with scale its min
   * @example 3
   */
  instances?: number | undefined;
  /**
   * Within which limits the number of instances follows the load, and by what. Without it there are as many as
   * instances says.
   * @default none
   * @example { min: 1, max: 3, cpu: "70%", memory: "80%", when: ["queue delay > 30s"] }
   */
  scale?: ScaleInput | undefined;
  /**
   * Environment variables of the instances. Values are text. PORT and names that begin with SLIPWAY_ are set by
   * Slipway. Not for secrets, because this file is in git: they have a key of their own.
   * @default {}
   * @example { LOG_LEVEL: "info" }
   */
  env?: Record<string, string> | undefined;
  /**
   * Environment variables whose values are not in git: set them for each environment with slipway secret set. A release
   * is made with the values of its day, and a rollback brings those back.
   * @default []
   * @example ["DATABASE_URL"]
   */
  secrets?: string[] | undefined;
  /**
   * Which requests reach a web or static service: "/api", "example.org", "example.org/api", or a list of such texts and
   * of objects. An empty list keeps the service private.
   * @default "/" of every host, for web and static
   * @example ["/api", { host: "api.example.org", path: "/v1", strip: true }]
   */
  routes?: string | (string | RouteInput)[] | undefined;
  /**
   * For a static service: the file, relative to what is packed, that answers unknown paths, as single-page apps need
   * it.
   * @default none: unknown paths are 404
   * @example "index.html"
   */
  fallback?: string | undefined;
  /**
   * Limits of an instance, where the target can hold them.
   * @default {}
   * @example { memory: "512MB", cpu: 0.5 }
   */
  resources?: ResourcesInput | undefined;
  /**
   * The port a web service listens on in its container; it is told in PORT too. A process is given a free one instead.
   * @default 8080
   * @example 3000
   */
  port?: number | undefined;
  /**
   * What outlives a container: a volume of the environment, or a directory of the host. A service that has one cannot
   * run beside its successor: it is stopped first, and plan says so.
   * @default []
   * @example ["uploads:/app/uploads", "/etc/ssl/company:/certs:ro"]
   */
  volumes?: string[] | undefined;
  /**
   * Ports of the host that lead to the container, past the edge. A service that has one cannot run beside its
   * successor: it is stopped first.
   * @default []
   * @example ["8125:8125"]
   */
  hostPorts?: string[] | undefined;
  /**
   * What a service's container may do.
   * @default {}
   * @example { readOnlyRoot: true, dropCapabilities: ["ALL"] }
   */
  container?: ContainerInput | undefined;
}

/** How a service's files are made. */
export interface BuildInput {
  /**
   * Argument array, run in a clean checkout of the commit, in the service's path. Never a shell string.
   * @example ["npm", "run", "build"]
   */
  command: string[];
  /**
   * Directory that is packed afterwards, relative to the service's path.
   * @default "."
   * @example "dist"
   */
  output?: string | undefined;
  /**
   * A build that has not ended by then is stopped and has failed.
   * @default "10m"
   * @example "20m"
   */
  timeout?: Duration | undefined;
}

/** How a service's container image is made. */
export interface ImageInput {
  /**
   * The Dockerfile, relative to the service's path.
   * @default Dockerfile where there is one, else one is made for what is found there
   * @example "docker/web.Dockerfile"
   */
  dockerfile?: string | undefined;
  /**
   * The stage of the Dockerfile that is built.
   * @default the last
   * @example "runtime"
   */
  stage?: string | undefined;
  /**
   * Build arguments. They can be read in the image's history: not for secrets.
   * @default {}
   * @example { NODE_ENV: "production" }
   */
  args?: Record<string, string> | undefined;
  /**
   * Variables of the environment that builds, each mounted as a secret of that name for the instructions that ask for
   * it. In no layer, no history and no log.
   * @default []
   * @example ["NPM_TOKEN"]
   */
  secrets?: string[] | undefined;
  /**
   * Platform it is built for, where the builder can: its own, one that its engine emulates, and by BuildKit any other
   * where the Dockerfile runs nothing on it. Several in one image are refused.
   * @default the builder's own
   * @example ["linux/arm64"]
   */
  platforms?: string[] | undefined;
  /**
   * A build that has not ended by then is stopped and has failed.
   * @default "20m"
   * @example "30m"
   */
  timeout?: Duration | undefined;
}

/** What a service has to pass before its product becomes a release. */
export interface ServicePipelineInput {
  /**
   * The steps, by name. A step begins when all that it needs have passed.
   * @default {}
   * @example { install: {}, lint: {}, unit: { timeout: "5m" }, pack: { command: ["npm", "pack"], needs: ["unit"] } }
   */
  steps?: Record<string, PipelineStepInput> | undefined;
}

/** One step of a pipeline. Without command and shell it is a built-in one: that of its name, or of uses. */
export interface PipelineStepInput {
  /**
   * A built-in step: install runs the package manager that packageManager or the lock file names, lint, format,
   * typecheck, unit and build what package.json or pyproject.toml has for it, scan the audit of the package manager
   * whose lock file is there, and pip-audit. integration brings up docker-compose.integration.yml, or with an image
   * runs test:integration beside the accessories; image makes the service's image as a release would; publish brings
   * the package to its registry, once for each version.
   * @default the step's name, when that is one of them
   * @example "unit"
   */
  uses?:
    | "checkout"
    | "install"
    | "lint"
    | "format"
    | "typecheck"
    | "unit"
    | "build"
    | "integration"
    | "scan"
    | "image"
    | "publish"
    | undefined;
  /**
   * Argument array; the first is looked up on PATH. Never a shell string: for that there is shell.
   * @default that of the built-in step
   * @example ["npm", "run", "test:unit"]
   */
  command?: string[] | undefined;
  /**
   * A line for sh -euc, where a shell is what is wanted.
   * @default none
   * @example "npm pack && ls -l *.tgz"
   */
  shell?: string | undefined;
  /**
   * Directory it runs in, in the repository.
   * @default the service's path; the top for steps of the product
   * @example "packages/ui"
   */
  path?: string | undefined;
  /**
   * Steps that must have passed before: of the same pipeline, of the product's, or of another service as "api/build".
   * With a matrix all of its combinations.
   * @default install, for a built-in step where there is one; else none
   * @example ["install", "lint"]
   */
  needs?: string[] | undefined;
  /**
   * When it is part of a run. A step that is left out counts as passed for those that need it.
   * @default {}
   * @example { branch: ["main"], paths: ["api/**"] }
   */
  when?: StepWhenInput | undefined;
  /**
   * Runs once for each combination; each name is an environment variable of the step.
   * @default {}
   * @example { DATABASE: ["postgres", "mysql"] }
   */
  matrix?: Record<string, string[]> | undefined;
  /**
   * An attempt that has not ended by then is stopped, with all that it has started, and has failed.
   * @default "10m"
   * @example "30m"
   */
  timeout?: Duration | undefined;
  /**
   * Tries again when it has failed.
   * @default one attempt
   * @example { attempts: 3, reason: "the registry is slow at night" }
   */
  retry?: StepRetryInput | undefined;
  /**
   * What is done when nobody knows how it ended, because the machine went down under it: run it again, or call it
   * failed. For steps that must not happen twice.
   * @default "again"
   * @example "fail"
   */
  whenLost?: "again" | "fail" | undefined;
  /**
   * Whether the run may pass when it has failed; what needs it goes on.
   * @default false
   * @example true
   */
  allowFailure?: boolean | undefined;
  /**
   * Environment variables, beside PATH, HOME, LANG, CI and those that begin with SLIPWAY_. Nothing else is inherited.
   * Not for secrets.
   * @default {}
   * @example { NODE_ENV: "test" }
   */
  env?: Record<string, string> | undefined;
  /**
   * Environment variables whose values are not in git: slipway secret set <name> -e pipeline. They are masked in its
   * log.
   * @default []
   * @example ["NPM_TOKEN"]
   */
  secrets?: string[] | undefined;
  /**
   * What its result depends on, relative to its path. With inputs a step that has passed with the same files, command,
   * variables and tools is not run again: its outputs and its log are restored.
   * @default none: it is always run
   * @example ["src/**", "package.json"]
   */
  inputs?: string[] | undefined;
  /**
   * Files and directories that it makes, relative to its path; kept with its result where it has inputs.
   * @default none
   * @example ["dist"]
   */
  outputs?: string[] | undefined;
  /**
   * Files and directories that it leaves to be looked at, whether it has passed or not: screenshots, reports in HTML,
   * packages. Kept with the run, as its reports are, for as long as its log; at most 100 MB a step: slipway run
   * artifacts <run>.
   * @default none
   * @example ["playwright-report"]
   */
  artifacts?: string[] | undefined;
  /**
   * Programs whose version its result depends on too, beside that of node, npm and, where there is anything for it,
   * python3.
   * @default []
   * @example ["go"]
   */
  tools?: string[] | undefined;
  /**
   * Test reports, coverage and findings that it writes.
   * @default {}
   * @example { junit: ["reports/junit.xml"] }
   */
  reports?: StepReportsInput | undefined;
  /**
   * Runs it on another machine: by an agent that has all of these labels (slipway agent), and an engine where the step
   * has an image. It gets the checkout with all that earlier steps made; its outputs and reports come back.
   * @default the control plane's machine
   * @example ["linux", "x64"]
   */
  runsOn?: string[] | undefined;
  /**
   * Runs it in a container of this image: it sees the checkout, at /workspace, and nothing else of the machine, has no
   * privileges, and is ended with all that it has started. Secrets need sh in the image.
   * @default none: it is a process of the machine
   * @example "node:22-slim"
   */
  image?: string | undefined;
  /**
   * For a container: whether it reaches the outside. What is beside it is reached either way.
   * @default "open"
   * @example "none"
   */
  network?: "open" | "none" | undefined;
  /**
   * For a container: memory it may use.
   * @default "2GB"
   * @example "4GB"
   */
  memory?: Size | undefined;
  /**
   * For a container: cores it may use.
   * @default all
   * @example 1.5
   */
  cpu?: number | undefined;
  /**
   * For a container: accessories of the config that are started for it alone, empty, in a network of their own, under
   * their own names; waited for until they are ready, and removed with it. When it fails their logs are kept with its
   * own.
   * @default []
   * @example ["redis"]
   */
  beside?: string[] | undefined;
  /**
   * Services of a Compose file that are started for it alone, as with beside. Its exit code is that of one of them, or
   * that of its own command in an image.
   * @default none
   * @example { file: "docker-compose.integration.yml", exitCodeFrom: "tests" }
   */
  compose?: StepComposeInput | undefined;
  /**
   * How long what is beside it is waited for: until its image's health check, else its port says that it is ready.
   * @default "1m"
   * @example "2m"
   */
  ready?: Duration | undefined;
  /**
   * Makes it a load test of what is live in an environment: its report says whether it has passed.
   * @default none
   * @example { environment: "staging", expect: ["p95 < 800 ms", "success > 99.9 %"] }
   */
  loadTest?: StepLoadTestInput | undefined;
  /**
   * Makes it a scan: what its reports have found says whether it has passed. It is always run.
   * @default none; the built-in scan has one
   * @example { failOn: "high", newSince: "production" }
   */
  scan?: StepScanInput | undefined;
}

/** When a step is part of a run. All that is given must hold. */
export interface StepWhenInput {
  /**
   * Only for commits of one of these branches; * stands for any text.
   * @default every branch
   * @example ["main", "release/*"]
   */
  branch?: string[] | undefined;
  /**
   * Only when a file that matches has changed since the commit of the newest release; * stands for a part of a name, **
   * for any path. Without a release everything has changed.
   * @default whatever has changed
   * @example ["api/**", "package-lock.json"]
   */
  paths?: string[] | undefined;
  /**
   * Only for runs that began this way.
   * @default however it began
   * @example ["manual", "deploy"]
   */
  event?: ("manual" | "deploy" | "push" | "pull-request" | "tag" | "schedule")[] | undefined;
}

/** How often a step that has failed is tried again, and why that is right. */
export interface StepRetryInput {
  /**
   * Attempts in all, the first included.
   * @default 2
   * @example 3
   */
  attempts?: number | undefined;
  /**
   * Why it may fail without being wrong; shown with every attempt after the first.
   * @example "the registry is slow at night"
   */
  reason: string;
  /**
   * Time before the second attempt; doubles with each.
   * @default "1s"
   * @example "10s"
   */
  wait?: Duration | undefined;
}

/** Reports that a step writes; read when it has ended, also when it has failed. */
export interface StepReportsInput {
  /**
   * JUnit XML files, relative to the step's path: their failing tests are shown.
   * @default none
   * @example ["reports/junit.xml"]
   */
  junit?: string[] | undefined;
  /**
   * Coverage as lcov or Cobertura XML.
   * @default none
   * @example ["coverage/lcov.info"]
   */
  coverage?: string[] | undefined;
  /**
   * Findings as SARIF 2.1.0.
   * @default none
   * @example ["reports/*.sarif"]
   */
  sarif?: string[] | undefined;
  /**
   * Findings as the JSON of the audits of npm, pnpm, yarn, bun or pip, of Bandit, Trivy or Gitleaks, or as SARIF;
   * which, is seen.
   * @default none; those of the built-in scan
   * @example ["npm-audit.json"]
   */
  scan?: string[] | undefined;
  /**
   * What a load test has measured: the JSON of autocannon --json, or of artillery run --output.
   * @default none
   * @example ["load.json"]
   */
  load?: string[] | undefined;
}

/**
 * A Compose file whose services are started for this step alone: without the ports, volumes and networks of anybody
 * else, and with nothing of the machine but the checkout.
 */
export interface StepComposeInput {
  /**
   * The Compose file, or several that are laid over each other, relative to the step's path. `$NAME` in it is what env,
   * secrets and a .env beside it say.
   * @default "docker-compose.integration.yml"
   * @example ["docker-compose.yml", "docker-compose.test.yml"]
   */
  file?: string | string[] | undefined;
  /**
   * The service that tests: it is started when all others are ready, with its own command, and its exit code is the
   * step's. As in docker compose up --exit-code-from.
   * @default none: the step has an image and a command of its own, in all networks of the file
   * @example "tests"
   */
  exitCodeFrom?: string | undefined;
  /**
   * Profiles whose services are started too.
   * @default []
   * @example ["mail"]
   */
  profiles?: string[] | undefined;
}

/**
 * Makes a step a load test: it runs when somebody asks for it (slipway load-test <environment>), against what is live
 * there.
 */
export interface StepLoadTestInput {
  /**
   * Which environment it tests; the step has its address as SLIPWAY_EDGE_URL.
   * @example "staging"
   */
  environment: string;
  /**
   * What its report must show: "p95 < 800 ms", "success > 99.9 %" or "rate > 100/s".
   * @example ["p95 < 800 ms", "success > 99.9 %"]
   */
  expect: string[];
  /**
   * Requests that it must have made for anything to be told.
   * @default 100
   * @example 5000
   */
  minimum?: number | undefined;
}

/**
 * Which findings fail a step. Its tool may end with 1, as scanners do that have found something; a report that is not
 * there or cannot be read fails it too.
 */
export interface StepScanInput {
  /**
   * A finding of this severity or a worse one fails it; so does one whose severity its tool does not tell.
   * @default "high"
   * @example "critical"
   */
  failOn?: "critical" | "high" | "medium" | "low" | undefined;
  /**
   * An environment: only findings that the release which is live there did not have, when this step looked at it, fail
   * it.
   * @default every finding counts
   * @example "production"
   */
  newSince?: string | undefined;
}

/** How one knows that a service is healthy. */
export interface HealthInput {
  /**
   * Path that is asked by GET to see whether an instance is healthy. Only for web and static services; a worker is
   * healthy when it has run for startPeriod without an exit, a job when it has ended with exit code 0.
   * @default "/"
   * @example "/up"
   */
  path?: string | undefined;
  /**
   * HTTP status, or statuses, that count as healthy. Redirects are not followed. When path is left out, a redirect
   * counts too, since a front page may send people to a login.
   * @default any 2xx
   * @example [200, 204]
   */
  status?: number | number[] | undefined;
  /**
   * What the answer must contain: a text that must occur in it, or JSON whose keys must be there with these values, at
   * any depth; other keys are allowed. An environment's value replaces the product's as a whole.
   * @default any body
   * @example { status: "healthy", database: "connected" }
   */
  body?: string | JsonShape | undefined;
  /**
   * Time from one probe of an instance to the next.
   * @default "1s"
   * @example "2s"
   */
  interval?: Duration | undefined;
  /**
   * A probe that has no complete answer by then has failed.
   * @default "5s"
   * @example "3s"
   */
  timeout?: Duration | undefined;
  /**
   * Failed probes in a row, after the first success, until an instance counts as unhealthy.
   * @default 3
   * @example 5
   */
  retries?: number | undefined;
  /**
   * Grace after the start of an instance in which a failed probe does not count. For a worker: how long it must have
   * run without an exit to be healthy.
   * @default 0s; 5s for a worker
   * @example "10s"
   */
  startPeriod?: Duration | undefined;
  /**
   * All instances must have been healthy once by then, or the deployment fails and nothing is switched. A job must have
   * ended with exit code 0 by then.
   * @default 1m; 10m for a job
   * @example "2m"
   */
  deadline?: Duration | undefined;
  /**
   * How often an instance that is unhealthy is restarted within restartWithin. After that its release is taken back
   * while a deployment watches it without a rule on health, else everybody is told. 0 restarts none.
   * @default 3
   * @example 0
   */
  restarts?: number | undefined;
  /**
   * How long an instance is unhealthy before it is restarted. Doubles with each restart within restartWithin.
   * @default "10s"
   * @example "1m"
   */
  restartAfter?: Duration | undefined;
  /**
   * Time in which restarts are counted.
   * @default "10m"
   * @example "30m"
   */
  restartWithin?: Duration | undefined;
}

/** Within which limits, and by what, instances come and go. */
export interface ScaleInput {
  /**
   * Never fewer instances than these.
   * @default 1
   * @example 2
   */
  min?: number | undefined;
  /**
   * Never more instances than these, unless a person asks for them.
   * @default 3
   * @example 6
   */
  max?: number | undefined;
  /**
   * The use of processor time, of what an instance may use, above which another one is wanted; the average of all
   * instances.
   * @default "70%" where no other target is given
   * @example "70%"
   */
  cpu?: Percent | undefined;
  /**
   * The same for memory, of the service's resources.memory, which it needs; of several instances the fullest.
   * @default not looked at
   * @example "80%"
   */
  memory?: Percent | undefined;
  /**
   * What else is too much, as rules say it. requests, errors and in flight are those of one instance. The service's
   * own, unless it says of another one.
   * @default []
   * @example ["queue delay > 30s"]
   */
  when?: string[] | undefined;
  /**
   * How long one of the targets must be passed without a break before there is an instance more.
   * @default "30s"
   * @example "1m"
   */
  upAfter?: Duration | undefined;
  /**
   * How long all targets must leave room for an instance less. Twice as long each time that it soon turns out to have
   * been one too few.
   * @default "5m"
   * @example "10m"
   */
  downAfter?: Duration | undefined;
  /**
   * How many instances at most are started or stopped at once.
   * @default 1
   * @example 2
   */
  step?: number | undefined;
  /**
   * Only says what it would do, in the history, and does nothing.
   * @default false
   * @example true
   */
  suggest?: boolean | undefined;
}

/** Which requests a service answers. */
export interface RouteInput {
  /**
   * Exact host name of the request.
   * @default any host
   * @example "example.org"
   */
  host?: string | undefined;
  /**
   * Prefix of the request's path; the longest wins. /api takes /api and /api/…, not /apiary.
   * @default "/"
   * @example "/api"
   */
  path?: string | undefined;
  /**
   * Whether the prefix is removed before the request is passed on.
   * @default false
   * @example true
   */
  strip?: boolean | undefined;
}

/** What an instance may use. */
export interface ResourcesInput {
  /**
   * Memory an instance may use. MB is 1,000,000 bytes, MiB is 1,048,576.
   * @default no limit
   * @example "512MB"
   */
  memory?: Size | undefined;
  /**
   * Share of one core an instance may use; 0.5 is half a core.
   * @default no limit
   * @example 0.5
   */
  cpu?: number | undefined;
}

/** What a container may do. */
export interface ContainerInput {
  /**
   * Whether the container's own file system is read-only; volumes and /tmp stay writable.
   * @default false
   * @example true
   */
  readOnlyRoot?: boolean | undefined;
  /**
   * Capabilities taken from the container.
   * @default []
   * @example ["ALL"]
   */
  dropCapabilities?: string[] | undefined;
  /**
   * Capabilities given to the container.
   * @default []
   * @example ["NET_BIND_SERVICE"]
   */
  addCapabilities?: string[] | undefined;
  /**
   * The user the container runs as.
   * @default the image's
   * @example "1000:1000"
   */
  user?: string | undefined;
  /**
   * Whether a small init is process 1, that reaps children and passes signals on.
   * @default true
   * @example false
   */
  init?: boolean | undefined;
  /**
   * What an image meets that would run as root: warn says so in the plan and in the history of each deployment, refuse
   * blocks the plan and starts nothing.
   * @default "warn"
   * @example "refuse"
   */
  rootUser?: "allow" | "warn" | "refuse" | undefined;
  /**
   * How a container's log is kept on its host.
   * @default {}
   * @example { maxSize: "50MB", keep: 5 }
   */
  logs?: LogsInput | undefined;
}

/** How a container's log is kept. */
export interface LogsInput {
  /**
   * A log file of a container is put aside when it is larger.
   * @default "10MB"
   * @example "50MB"
   */
  maxSize?: Size | undefined;
  /**
   * How many files of a container's log are kept.
   * @default 3
   * @example 5
   */
  keep?: number | undefined;
}

/** What a commit has to pass before it becomes a release. */
export interface PipelineInput {
  /**
   * The steps, by name. A step begins when all that it needs have passed.
   * @default {}
   * @example { install: {}, lint: {}, unit: { timeout: "5m" }, pack: { command: ["npm", "pack"], needs: ["unit"] } }
   */
  steps?: Record<string, PipelineStepInput> | undefined;
  /**
   * How many steps run at once.
   * @default the number of cores
   * @example 2
   */
  parallel?: number | undefined;
  /**
   * The container engine for steps with an image: of this machine, because they see the checkout.
   * @default "unix:///var/run/docker.sock"
   * @example "unix:///run/user/1000/docker.sock"
   */
  engine?: string | undefined;
  /**
   * Shares the results of steps with inputs with other control planes. A store that is away or slow holds up no step,
   * and results of steps with secrets stay here.
   * @default none: they stay on this machine
   * @example { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "acme-steps", region: "eu-central-1" }
   */
  cache?: PipelineCacheInput | undefined;
  /**
   * What a run's workspace may hold. A step under which it becomes more is stopped.
   * @default "10GB"
   * @example "2GB"
   */
  disk?: Size | undefined;
  /**
   * What may be said when a run is begun by hand: slipway run --param level=full.
   * @default {}
   * @example { level: { default: "quick", allowed: ["quick", "full"] }, shards: { default: 2, min: 1, max: 8 } }
   */
  parameters?: Record<string, ParameterInput> | undefined;
  /**
   * Findings that may stay for a time, for all scan steps. One that is over counts no more, and is named.
   * @default []
   * @example [{ finding: "GHSA-35jh-r3h4-6jhm", owner: "ada", reason: "only a build tool uses it", expires:
   * "2026-12-31" }]
   */
  waivers?: WaiverInput[] | undefined;
}

/**
 * A bucket in a store that speaks S3, by which control planes share the results of unchanged steps. This machine's own
 * come first.
 */
export interface PipelineCacheInput {
  /**
   * Where the store is; the bucket is asked for as a part of the path.
   * @example "https://s3.eu-central-1.amazonaws.com"
   */
  endpoint: string;
  /**
   * The bucket; it must be there.
   * @example "acme-steps"
   */
  bucket: string;
  /**
   * What requests are signed for; stores that are not Amazon's mostly take any.
   * @default "us-east-1"
   * @example "eu-central-1"
   */
  region?: string | undefined;
  /**
   * What the names of its objects begin with.
   * @default "slipway"
   * @example "ci/shop"
   */
  prefix?: string | undefined;
  /**
   * Name of the pipeline's secret that is the id of the access key: slipway secret set <name> -e pipeline.
   * @default "AWS_ACCESS_KEY_ID"
   * @example "CACHE_KEY_ID"
   */
  accessKeyId?: string | undefined;
  /**
   * Name of the secret that is the access key itself. It vouches for every result too: only control planes with the
   * same one take what another has put there.
   * @default "AWS_SECRET_ACCESS_KEY"
   * @example "CACHE_KEY"
   */
  secretAccessKey?: string | undefined;
}

/** Something that may be said when a run is begun by hand; steps have it as SLIPWAY_PARAM_<NAME>. */
export interface ParameterInput {
  /**
   * What it is for.
   * @default none
   * @example "how much is tested"
   */
  meaning?: string | undefined;
  /**
   * What its value is; steps have it as text, a boolean as true or false.
   * @default that of its default or of what is allowed; else text
   * @example "integer"
   */
  type?: "text" | "number" | "integer" | "boolean" | undefined;
  /**
   * What it is when nothing is said. Without one it must be given.
   * @default must be given
   * @example "quick"
   */
  default?: boolean | string | number | undefined;
  /**
   * The values that it may have.
   * @default any of its type
   * @example ["quick", "full"]
   */
  allowed?: (string | number)[] | undefined;
  /**
   * For a number: the least that it may be.
   * @default none
   * @example 1
   */
  min?: number | undefined;
  /**
   * For a number: the most that it may be.
   * @default none
   * @example 20
   */
  max?: number | undefined;
}

/** Somebody's word that a finding may stay, until a day. */
export interface WaiverInput {
  /**
   * Its advisory or rule, or its fingerprint, as slipway run shows them.
   * @example "GHSA-35jh-r3h4-6jhm"
   */
  finding: string;
  /**
   * Only in this package, or in files that match.
   * @default wherever it is
   * @example "lodash"
   */
  in?: string | undefined;
  /**
   * Who answers for it.
   * @example "ada"
   */
  owner: string;
  /**
   * Why it may stay.
   * @example "only a build tool uses it"
   */
  reason: string;
  /**
   * Its last day, in UTC. From the next day on it counts no more.
   * @example "2026-12-31"
   */
  expires: string;
}

/** What begins runs, releases and deployments by itself. */
export interface TriggersInput {
  /**
   * What a push to a branch begins. * stands for any text; a name without it goes before patterns, and of those the
   * first one that fits. A branch that is not here begins nothing.
   * @default {}
   * @example { main: { deploy: "production" }, staging: { deploy: "staging" }, "feature/*": {} }
   */
  branches?: Record<string, TriggerInput> | undefined;
  /**
   * What a new tag begins, in the same way.
   * @default {}
   * @example { "v*": { deploy: "production" } }
   */
  tags?: Record<string, TriggerInput> | undefined;
  /**
   * What is begun by the clock, by name.
   * @default {}
   * @example { nightly: { cron: "0 3 * * *", branch: "main" } }
   */
  schedules?: Record<string, TriggerScheduleInput> | undefined;
  /**
   * What pull requests begin: a preview for each.
   * @default nothing
   * @example { deploy: "preview" }
   */
  pullRequests?: PullRequestsInput | undefined;
  /**
   * Where pushed commits are fetched from: a remote of the repository, or an address of git. The control plane's own
   * git, keys and credential helpers are used; it is never asked for a password.
   * @default "origin"
   * @example "git@github.com:acme/shop.git"
   */
  remote?: string | undefined;
  /**
   * The repository's name at the forge; webhooks of others begin nothing, and what is reported is reported there.
   * @default whatever has the right secret
   * @example "acme/shop"
   */
  repository?: string | undefined;
  /**
   * How the forge tells us of pushes.
   * @default none
   * @example { forge: "github", listen: ":9800" }
   */
  webhook?: WebhookInput | undefined;
  /**
   * What is written back to the forge: statuses of commits, GitHub's checks and deployments, a comment. A forge that is
   * away delays nothing.
   * @default nothing is told
   * @example { forge: "github", token: "FORGE_TOKEN" }
   */
  report?: ReportInput | undefined;
  /**
   * Jobs of a CI that may deploy without a stored secret: they prove themselves with an ID token (OpenID Connect).
   * @default none
   * @example [{ issuer: "github", claims: { repository: "acme/shop", ref: "refs/heads/main" }, environments:
   * ["production"] }]
   */
  ci?: CiAccessInput[] | undefined;
  /**
   * Where jobs of a CI and links that were sent to people come in. Nothing else of the API is reachable there. It
   * speaks HTTP, for a proxy or a tunnel with TLS in front.
   * @default where webhooks come in; without a webhook 127.0.0.1:9800 as soon as there is a url
   * @example ":9800"
   */
  listen?: string | number | undefined;
  /**
   * Where people reach this control plane, for links in what the forge and people are told.
   * @default none: no links
   * @example "https://slipway.example.com"
   */
  url?: string | undefined;
  /**
   * How often the remote is asked for what was pushed; for forges that cannot reach us.
   * @default never
   * @example "1m"
   */
  poll?: Duration | undefined;
}

/** What a push begins: always a run of the pipeline. */
export interface TriggerInput {
  /**
   * The environment that the release is deployed to when the run has passed. Without it the run checks the commit, and
   * no release is made.
   * @default none: a run only
   * @example "production"
   */
  deploy?: string | undefined;
}

/** What is begun again and again, with the newest commit of a branch. */
export interface TriggerScheduleInput {
  /**
   * When: minute, hour, day of the month, month, day of the week.
   * @example "0 3 * * *"
   */
  cron: string;
  /**
   * The time zone of cron.
   * @default "UTC"
   * @example "Europe/Berlin"
   */
  timeZone?: string | undefined;
  /**
   * Whose newest commit is taken.
   * @example "main"
   */
  branch: string;
  /**
   * The environment that the release is deployed to when the run has passed. Without it the run checks the commit, and
   * no release is made.
   * @default none: a run only
   * @example "production"
   */
  deploy?: string | undefined;
}

/** What a pull request, or a merge request, gets from the forge's webhooks. */
export interface PullRequestsInput {
  /**
   * The template of the preview that each has, from when it is opened until it is closed.
   * @example "preview"
   */
  deploy: string;
  /**
   * Whether pull requests from other repositories have one too: then whoever can open one has their code run on the
   * target, with the secrets of the previews.
   * @default false
   * @example true
   */
  forks?: boolean | undefined;
}

/** How the forge tells us of pushes. */
export interface WebhookInput {
  /**
   * Whose webhooks they are.
   * @example "github"
   */
  forge: "github" | "gitlab" | "gitea" | "bitbucket";
  /**
   * Where they come in, and nothing else: the API is not reachable there. It speaks HTTP, for a proxy or a tunnel with
   * TLS in front.
   * @default "127.0.0.1:9800"
   * @example ":9800"
   */
  listen?: string | number | undefined;
  /**
   * The secret that the forge signs with, or sends as its token: slipway secret set <name> -e triggers.
   * @default "WEBHOOK_SECRET"
   * @example "WEBHOOK_SECRET"
   */
  secret?: string | undefined;
}

/** What the forge is told of runs and deployments. */
export interface ReportInput {
  /**
   * Whose API it is.
   * @default that of the webhook
   * @example "github"
   */
  forge?: "github" | "gitlab" | "gitea" | "bitbucket" | undefined;
  /**
   * Where its API is; of a forge of one's own.
   * @default that of github.com, gitlab.com or bitbucket.org; Gitea's must be given
   * @example "https://git.example.com/api/v1"
   */
  api?: string | undefined;
  /**
   * The secret with the token that may write statuses and comments: slipway secret set <name> -e triggers. With app it
   * is the app's private key.
   * @default "FORGE_TOKEN"
   * @example "FORGE_TOKEN"
   */
  token?: string | undefined;
  /**
   * The id of a GitHub App that is installed for the repository. Runs and deployments are checks then, instead of
   * statuses.
   * @default none: the token is a person's or a repository's
   * @example "123456"
   */
  app?: string | undefined;
  /**
   * Whether GitHub or GitLab is told of deployments as such, beside the status of their commit.
   * @default true
   * @example false
   */
  deployments?: boolean | undefined;
  /**
   * Whether the pull request of a commit gets one comment that is kept up to date.
   * @default true
   * @example false
   */
  comment?: boolean | undefined;
}

/** Which jobs of a CI may do what. */
export interface CiAccessInput {
  /**
   * Who signs the job's ID token.
   * @example "github"
   */
  issuer: string;
  /**
   * For whom the token must be: something that is only ours.
   * @default triggers.url
   * @example "https://slipway.example.com"
   */
  audience?: string | undefined;
  /**
   * What the token must say, by claim; * stands for any text, and of a list one must fit. One of them must name the
   * repository.
   * @example { repository: "acme/shop", ref: "refs/heads/main" }
   */
  claims: Record<string, string | string[]>;
  /**
   * Where such a job may do it.
   * @example ["production"]
   */
  environments: string[];
  /**
   * What it may do; to follow what it has begun is always allowed.
   * @default ["deploy"]
   * @example ["deploy", "rollback"]
   */
  verbs?: ("deploy" | "promote" | "rollback")[] | undefined;
}

/** How a release takes the traffic and when it is taken back. */
export interface RolloutInput {
  /**
   * How traffic moves: blue-green starts all instances of the candidate and switches at once; rolling replaces a batch
   * of instances at a time; canary gives the candidate a small share of the requests, compares it with stable, and goes
   * on step by step.
   * @default "blue-green"
   * @example "canary"
   */
  strategy?: "blue-green" | "rolling" | "canary" | undefined;
  /**
   * The watch after all traffic is on the candidate. Nothing is called succeeded before it has passed, and a rule that
   * fires in it takes the release back.
   * @default "5m"
   * @example "10m"
   */
  bake?: Duration | undefined;
  /**
   * For rolling: how many instances are replaced at once, as a share of them (at least one) or as a number.
   * @default "25%"
   * @example "50%"
   */
  batch?: Percent | number | undefined;
  /**
   * For canary: the shares of the requests that the candidate gets one after the other, rising. All traffic comes after
   * the last one, by itself.
   * @default ["1%", "5%", "25%", "50%"]
   * @example ["1%", { weight: "10%", bake: "10m", promotion: "manual" }, "50%"]
   */
  steps?: (Percent | StepInput)[] | undefined;
  /**
   * For canary: how long each step is watched at least. It goes on when nothing speaks against the candidate, and is
   * taken back at once when something does.
   * @default "2m"
   * @example "10m"
   */
  stepBake?: Duration | undefined;
  /**
   * For canary: requests that each service of the candidate must have answered in a step before the next one. With
   * fewer the step waits.
   * @default 20
   * @example 100
   */
  stepMinimum?: number | undefined;
  /**
   * For canary: how long a step, beyond its own time, waits for what it is judged by (requests, counts, health). Then
   * it asks a person: `slipway resume`, `slipway promote-step` or `slipway cancel`. It never goes on without.
   * @default "30m"
   * @example "2h"
   */
  stepLimit?: Duration | undefined;
  /**
   * For canary: how many instances of the candidate run in a step: as many as its share of the requests needs, at least
   * one; or all from the first step on.
   * @default "share"
   * @example "all"
   */
  stepInstances?: "share" | "all" | undefined;
  /**
   * For canary: whether the next step is taken by itself when one has passed, or by a person with `slipway
   * promote-step`.
   * @default "automatic"
   * @example "manual"
   */
  promotion?: "automatic" | "manual" | undefined;
  /**
   * For canary: requests that Slipway sends to the candidate itself, as long as users have sent fewer than
   * `stepMinimum` in a step. They count towards it and are judged like users'. false sends none.
   * @default false
   * @example { path: "/products", perSecond: 5 }
   */
  synthetic?: SyntheticInput | false | undefined;
  /**
   * Whether a watch ends before its time once it is proven, at the rate of `rules.falseAlarms`, that the candidate is
   * no worse: never, in the steps of a canary, or also in the bake. What begins later, such as a leak, is then not
   * seen. A bad candidate is always taken back at once.
   * @default "never"
   * @example "steps"
   */
  endEarly?: "never" | "steps" | "always" | undefined;
  /**
   * How long requests in flight may go on at a revision that gets no new ones.
   * @default "30s"
   * @example "1m"
   */
  drain?: Duration | undefined;
  /**
   * How long WebSockets and event streams may stay on a revision that gets no new requests.
   * @default "10m"
   * @example "1h"
   */
  streamLimit?: Duration | undefined;
  /**
   * What takes a release back while it is watched.
   * @default {}
   * @example { errorRatio: { margin: "2%", minimum: 100 }, healthLost: true }
   */
  rules?: RulesInput | undefined;
  /**
   * What a deployment does that comes while another is under way in the same environment: wait its turn, replace it, or
   * be refused.
   * @default "queue"
   * @example "replace"
   */
  whenBusy?: "queue" | "replace" | "refuse" | undefined;
}

/** One step of a canary. */
export interface StepInput {
  /**
   * The candidate's share of the requests in this step.
   * @example "5%"
   */
  weight: Percent;
  /**
   * How long this step is watched, instead of `stepBake`.
   * @default stepBake
   * @example "10m"
   */
  bake?: Duration | undefined;
  /**
   * Whether the step after this one is taken by itself or by a person, instead of `promotion`.
   * @default promotion
   * @example "manual"
   */
  promotion?: "automatic" | "manual" | undefined;
  /**
   * What must be open, when this step is over, before the next one (after the last: before all traffic). All are looked
   * at together, the candidate is watched meanwhile, and `slipway promote-step` does not pass them.
   * @default nothing
   * @example { approval: { teams: ["ops"] } }
   */
  gates?: StepGatesInput | undefined;
}

/** What must be open before a canary takes the step after this one. */
export interface StepGatesInput {
  /**
   * What must hold of the candidate, as rules say it. What cannot be measured does not hold, and a for begins anew with
   * it.
   * @default nothing besides what every step is judged by
   * @example ["latency p95 of api < 300ms over 5m"]
   */
  when?: HeldLine[] | undefined;
  /**
   * How long after the step is over the next one is taken. It is watched for that long too.
   * @default none
   * @example "1h"
   */
  wait?: Duration | undefined;
  /**
   * When the next step may be taken. A deployment that was asked for with --override-window passes.
   * @default at any time
   * @example [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }]
   */
  windows?: WindowInput[] | undefined;
  /**
   * When it may not be taken, also in a window.
   * @default never
   * @example [{ cron: "0 0 * * sat", duration: "48h", timeZone: "Europe/Berlin", reason: "weekend" }]
   */
  freezes?: FreezeInput[] | undefined;
  /**
   * People who must approve, with `slipway approve`, before the next step. When they have not in time, the release is
   * taken back.
   * @default nobody has to
   * @example { teams: ["ops"] }
   */
  approval?: ApprovalInput | undefined;
}

/** A time at which deployments may begin. */
export interface WindowInput {
  /**
   * When it begins: minute, hour, day, month, weekday; or one local time. A time that the clocks jump over is the
   * instant after, one that comes twice is its first.
   * @example "0 9 * * mon-thu"
   */
  cron: string;
  /**
   * How long it lasts, in real time.
   * @example "8h"
   */
  duration: Duration;
  /**
   * Whose clock is meant.
   * @default "UTC"
   * @example "Europe/Berlin"
   */
  timeZone?: string | undefined;
}

/** A time at which none may begin. */
export interface FreezeInput {
  /**
   * When it begins: minute, hour, day, month, weekday; or one local time. A time that the clocks jump over is the
   * instant after, one that comes twice is its first.
   * @example "0 9 * * mon-thu"
   */
  cron: string;
  /**
   * How long it lasts, in real time.
   * @example "8h"
   */
  duration: Duration;
  /**
   * Whose clock is meant.
   * @default "UTC"
   * @example "Europe/Berlin"
   */
  timeZone?: string | undefined;
  /**
   * Why, for those who meet it.
   * @default none
   * @example "Christmas"
   */
  reason?: string | undefined;
}

/** Whose word a deployment needs. */
export interface ApprovalInput {
  /**
   * Whose members may approve. With neither teams nor people it is anybody.
   * @default anybody may approve
   * @example ["ops"]
   */
  teams?: string[] | undefined;
  /**
   * Who may approve, besides the members of teams.
   * @default nobody besides the teams
   * @example ["ada"]
   */
  people?: string[] | undefined;
  /**
   * How many people must approve.
   * @default 1
   * @example 2
   */
  count?: number | undefined;
  /**
   * Whether it counts when those approve who wrote the commits, made the release or asked for the deployment.
   * @default false
   * @example true
   */
  authorMayApprove?: boolean | undefined;
  /**
   * Notifiers that are told when a deployment begins to wait to be approved; steps of a canary tell nobody.
   * @default nobody is told
   * @example ["team"]
   */
  notify?: string[] | undefined;
  /**
   * How long a deployment waits to be approved. Then it is called off.
   * @default "7d"
   * @example "12h"
   */
  expires?: Duration | undefined;
}

/** Requests that stand in for users'. */
export interface SyntheticInput {
  /**
   * Asked by GET, of the candidate's instances directly, past the edge. It must be safe to ask.
   * @example "/products"
   */
  path: string;
  /**
   * Requests a second at most, for each service.
   * @example 5
   */
  perSecond: number;
}

/** What takes a release back while it is watched. */
export interface RulesInput {
  /**
   * Takes a release back when its share of 5xx answers is above the stable release's by more than a margin, compared
   * after every answer. false turns the rule off.
   * @default { margin: "2%", minimum: 10 }
   * @example { margin: "5%", minimum: 100 }
   */
  errorRatio?: ErrorRatioInput | false | undefined;
  /**
   * Takes a release back when its answers begin later than the stable release's by more than a factor. false turns the
   * rule off.
   * @default { factor: 2, floor: "25ms" }
   * @example { factor: 1.5, quantiles: ["p95"] }
   */
  latency?: LatencyInput | false | undefined;
  /**
   * How many of the deployments whose release is no worse than allowed may be taken back nevertheless, by errorRatio
   * and latency together over all services. Holds however often it is looked at.
   * @default "1%"
   * @example "0.1%"
   */
  falseAlarms?: Percent | undefined;
  /**
   * Takes a release back when an instance becomes unhealthy or exits by itself.
   * @default true
   * @example false
   */
  healthLost?: boolean | undefined;
}

/** When errors take a release back. */
export interface ErrorRatioInput {
  /**
   * How far the candidate's share of 5xx answers may be above the stable release's. A smaller one finds bad releases
   * earlier.
   * @default "2%"
   * @example "5%"
   */
  margin?: Percent | undefined;
  /**
   * Requests the candidate must have answered before its ratio is judged. The comparison needs none; it is for the
   * first answers after a start.
   * @default 10
   * @example 100
   */
  minimum?: number | undefined;
  /**
   * For how long the errors of fresh instances are held against coldMargin instead, for a cache that is cold fails at
   * first and heals. What is bad within the two margins is found only after it.
   * @default no such time
   * @example "30s"
   */
  warmUp?: Duration | undefined;
  /**
   * How far the candidate's share of 5xx answers may be above the stable release's within warmUp.
   * @default "10%"
   * @example "20%"
   */
  coldMargin?: Percent | undefined;
}

/** When slowness takes a release back. */
export interface LatencyInput {
  /**
   * How many times as long as the stable release's the candidate's answers may take.
   * @default 2
   * @example 1.5
   */
  factor?: number | undefined;
  /**
   * How much longer they may take in any case: between 2 and 4 ms nobody sees a difference.
   * @default "25ms"
   * @example "100ms"
   */
  floor?: Duration | undefined;
  /**
   * What is compared: the time within which half of the answers began, 95 % of them, 99 % of them.
   * @default ["p50", "p95", "p99"]
   * @example ["p95"]
   */
  quantiles?: ("p50" | "p95" | "p99")[] | undefined;
  /**
   * Answers that both releases must have given before they are compared.
   * @default 50
   * @example 500
   */
  minimum?: number | undefined;
  /**
   * How long after its first request the candidate may be slow without being judged for it, and again after each step
   * that brings new instances.
   * @default "30s"
   * @example "2m"
   */
  warmUp?: Duration | undefined;
}

/** How requests come in. */
export interface EdgeInput {
  /**
   * What routes the traffic: embedded is Slipway's own, for development, private networks and small sites; caddy (2.8
   * or newer) is for the public internet.
   * @default "embedded"
   * @example "caddy"
   */
  driver?: "embedded" | "caddy" | undefined;
  /**
   * For caddy: the machine it runs on, such as ssh://deploy@vm1.
   * @default this one
   * @example "ssh://deploy@vm1"
   */
  server?: string | undefined;
  /**
   * TLS beside plain HTTP; false, and there is none.
   * @default false
   * @example { acme: { email: "ops@example.org" } }
   */
  tls?: TlsInput | false | undefined;
  /**
   * Where the edge listens: ":8080" on every IPv4 address, "127.0.0.1:8080", "[::]:8080", or a port alone. Port 0 takes
   * a free one.
   * @default ":8080"
   * @example "127.0.0.1:8080"
   */
  listen?: string | number | undefined;
  /**
   * Addresses and ranges of proxies whose X-Forwarded-For and -Proto and trace headers are believed.
   * @default []
   * @example ["10.0.0.0/8"]
   */
  trustedProxies?: string[] | undefined;
  /**
   * Sends plain HTTP to https with 308. By itself for every route that names a host which tls has a certificate for;
   * true for all routes, also where a trusted proxy in front says which one it was; false for none.
   * @default true with tls, for hosts with a certificate
   * @example false
   */
  redirectToHttps?: boolean | undefined;
  /**
   * Sends www.<host> to <host> with 301, for every host in a route.
   * @default false
   * @example true
   */
  redirectWww?: boolean | undefined;
  /**
   * Headers set on every answer unless the service set them itself; false takes one of the defaults away.
   * @default { "x-content-type-options": "nosniff", "x-frame-options": "SAMEORIGIN", "referrer-policy":
   * "strict-origin-when-cross-origin" }
   * @example { "x-robots-tag": "noindex", "x-frame-options": false }
   */
  headers?: Record<string, string | false> | undefined;
  /**
   * Tells browsers to come by https only (Strict-Transport-Security), on answers over TLS. It cannot be taken back
   * before maxAge is over; false, and it is not said.
   * @default false
   * @example { maxAge: "30d" }
   */
  hsts?: HstsInput | false | undefined;
  /**
   * Which other web origins may ask from a browser; false, and no CORS header is set.
   * @default false
   * @example { origins: ["https://app.example.org"], credentials: true }
   */
  cors?: CorsInput | false | undefined;
  /**
   * Paths that only some client addresses may reach.
   * @default []
   * @example [{ path: "/admin", allow: ["10.0.0.0/8"] }]
   */
  allowLists?: AllowListInput[] | undefined;
  /**
   * How many requests one client IP may make; false, and there is no limit.
   * @default false
   * @example { requests: 100, per: "1m" }
   */
  rateLimit?: RateLimitInput | false | undefined;
  /**
   * Largest body of a request; a larger one is answered 413.
   * @default "10MB"
   * @example "50MB"
   */
  bodyLimit?: Size | undefined;
  /**
   * By what a client is kept on one release while two have traffic: a cookie, a request header, or false for each
   * request anew. An environment's value replaces the product's as a whole.
   * @default false
   * @example { cookie: "slipway" }
   */
  sticky?: StickyCookie | StickyHeader | false | undefined;
  /**
   * A request header or cookie by which a client chooses its side while two releases share the requests, whatever the
   * weights are: one value for the candidate, one for stable. Without it, and with any other value, the weights hold.
   * An environment's value replaces the product's as a whole.
   * @default false
   * @example { header: "x-canary", candidate: "1", stable: "0" }
   */
  optIn?: OptInInput | false | undefined;
  /**
   * The name or address at which services reach the edge themselves, for SLIPWAY_EDGE_URL. Needed where containers run
   * on other machines than the edge and neither listen nor server says it.
   * @default that of listen, of server, or this machine
   * @example "10.0.0.9"
   */
  address?: string | undefined;
  /**
   * Answers every request with a maintenance page and 503.
   * @default false
   * @example true
   */
  maintenance?: boolean | undefined;
}

/** How TLS is spoken. */
export interface TlsInput {
  /**
   * Where the edge listens for TLS.
   * @default ":443"
   * @example ":8443"
   */
  listen?: string | number | undefined;
  /**
   * Certificates from files.
   * @default []
   * @example [{ cert: "/etc/ssl/fullchain.pem", key: "/etc/ssl/key.pem", hosts: ["example.org"] }]
   */
  certificates?: CertificateInput[] | undefined;
  /**
   * Certificates that the edge gets and renews by itself for every host that a route names and no file covers; false,
   * and it gets none.
   * @default {}
   * @example { email: "ops@example.org" }
   */
  acme?: AcmeInput | false | undefined;
  /**
   * Whether HTTP/2 is spoken.
   * @default true
   * @example false
   */
  http2?: boolean | undefined;
}

/** A certificate with its key. */
export interface CertificateInput {
  /**
   * PEM file with the certificate and its chain, on the edge's machine. Read again when it changes.
   * @example "/etc/ssl/example.org/fullchain.pem"
   */
  cert: string;
  /**
   * PEM file with its private key, readable only by the edge's user.
   * @example "/etc/ssl/example.org/key.pem"
   */
  key: string;
  /**
   * Names it is used for; *.example.org is every name right below example.org.
   * @example ["example.org", "www.example.org"]
   */
  hosts: string[];
}

/** Certificates that the edge gets by itself. */
export interface AcmeInput {
  /**
   * Where the CA writes when something is wrong with a certificate.
   * @default nobody
   * @example "ops@example.org"
   */
  email?: string | undefined;
  /**
   * The CA's ACME directory (RFC 8555).
   * @default Let's Encrypt
   * @example "https://acme-staging-v02.api.letsencrypt.org/directory"
   */
  directory?: string | undefined;
  /**
   * PEM file on the edge's machine with the CA that the ACME server itself is trusted by.
   * @default the system's
   * @example "/etc/ssl/company-ca.pem"
   */
  ca?: string | undefined;
}

/** For how long browsers come by https only, whatever is said to them meanwhile (RFC 6797). */
export interface HstsInput {
  /**
   * How long a browser remembers it after each answer. Begin with a short one; "0s" makes those forget that come by
   * https again.
   * @example "365d"
   */
  maxAge: Duration;
  /**
   * Whether it holds for every name below the host too, also those that somebody else serves.
   * @default false
   * @example true
   */
  includeSubDomains?: boolean | undefined;
  /**
   * Allows the host to be put on the lists that browsers come with (hstspreload.org), which takes months to undo. Needs
   * includeSubDomains and a maxAge of at least 365d.
   * @default false
   * @example true
   */
  preload?: boolean | undefined;
}

/** Which other web origins may ask. */
export interface CorsInput {
  /**
   * Web origins that may ask; * is every one, without credentials.
   * @example ["https://app.example.org"]
   */
  origins: string[];
  /**
   * Methods they may use.
   * @default ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
   * @example ["GET", "POST"]
   */
  methods?: ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")[] | undefined;
  /**
   * Request headers they may send.
   * @default ["content-type", "authorization"]
   * @example ["content-type", "x-csrf-token"]
   */
  headers?: string[] | undefined;
  /**
   * Whether cookies and authorization may come with the request.
   * @default false
   * @example true
   */
  credentials?: boolean | undefined;
  /**
   * How long a browser may remember the answer to its preflight request.
   * @default "10m"
   * @example "1h"
   */
  maxAge?: Duration | undefined;
}

/** Paths that only some clients may reach. */
export interface AllowListInput {
  /**
   * Prefix of the paths it guards, decoded and normalised before the match.
   * @example "/admin"
   */
  path: string;
  /**
   * Client addresses and ranges that may; all others are answered 403.
   * @example ["10.0.0.0/8", "192.0.2.7"]
   */
  allow: string[];
}

/** How much one client may ask. */
export interface RateLimitInput {
  /**
   * Requests a client IP may make in the time of per; more are answered 429.
   * @example 100
   */
  requests: number;
  /**
   * The time the requests are counted over.
   * @example "1m"
   */
  per: Duration;
}

/** Kept by a cookie. */
export interface StickyCookie {
  /**
   * Name of the cookie; the edge makes it when it is missing.
   * @example "slipway"
   */
  cookie: string;
}

/** Kept by a header of the request. */
export interface StickyHeader {
  /**
   * Name of the request header that says who it is.
   * @example "x-user-id"
   */
  header: string;
}

/** By what a client chooses its side: either a header or a cookie. */
export interface OptInInput {
  /**
   * Name of the request header that says which side is wanted.
   * @default none: the cookie says it
   * @example "x-canary"
   */
  header?: string | undefined;
  /**
   * Name of the cookie that says which side is wanted; services set it, the edge never does.
   * @default none: the header says it
   * @example "canary"
   */
  cookie?: string | undefined;
  /**
   * The value with which a request goes to the candidate.
   * @default "1"
   * @example "always"
   */
  candidate?: string | undefined;
  /**
   * The value with which it goes to stable.
   * @default "0"
   * @example "never"
   */
  stable?: string | undefined;
}

/** What is kept. */
export interface RetentionInput {
  /**
   * How many of the newest good releases are kept in each environment, the live one among them. What is warm, pinned or
   * needed to go back is kept besides.
   * @default 3
   * @example 10
   */
  releases?: number | undefined;
}

/** Where a product runs. */
export interface TargetInput {
  /**
   * Where revisions live: process runs them as supervised processes of this machine, docker as containers of one or
   * more engines, compose does the same with the services of a Compose file.
   * @example "docker"
   */
  driver: "process" | "docker" | "compose";
  /**
   * For docker and compose: the engines, over a socket, SSH or TLS. Instances are spread over them. SSH is the system's
   * own, so ~/.ssh/config, agents and jump hosts work; host keys are checked.
   * @default ["unix:///var/run/docker.sock"]
   * @example ["ssh://deploy@vm1", { url: "ssh://deploy@vm2", address: "10.0.0.5" }]
   */
  hosts?: (string | HostInput)[] | undefined;
  /**
   * For docker and compose: the engine that builds images.
   * @default the first of the hosts
   * @example "ssh://build@builder1"
   */
  builder?: string | undefined;
  /**
   * For docker and compose, when a host does not answer while something is deployed: stop and take nothing on anywhere,
   * wait for it (`waitAtMost`), or skip it and say so. What a skipped host still runs of an older release is stopped
   * when it is back; new instances it gets with the next deployment.
   * @default "stop"
   * @example "wait"
   */
  whenAway?: "stop" | "wait" | "skip" | undefined;
  /**
   * For docker and compose with `whenAway: "wait"`: how long a host is waited for. After that the deployment fails.
   * @default "15m"
   * @example "1h"
   */
  waitAtMost?: Duration | undefined;
  /**
   * For docker and compose with several hosts, about the instances of a host that does not answer for `lostAfter`: wait
   * for it, or replace them on the others. Never what writes a volume, nor accessories, nor while a deployment is under
   * way, nor when most hosts are away.
   * @default "wait"
   * @example "replace"
   */
  whenLost?: "wait" | "replace" | undefined;
  /**
   * For docker and compose: how long a host does not answer before its instances are replaced, if they are. What is cut
   * off from here may go on working there, so it should be longer than what a network or a reboot takes.
   * @default "2m"
   * @example "10m"
   */
  lostAfter?: Duration | undefined;
  /**
   * For compose: the Compose file, or several that are laid over each other, from this config's directory. Read from
   * the commit that is released.
   * @default compose.yaml or docker-compose.yml, with its override file where there is one; or COMPOSE_FILE in .env
   * @example ["docker-compose.yml", "docker-compose.prod.yml"]
   */
  file?: string | string[] | undefined;
  /**
   * For compose: the name of the Compose project, which is part of the names of its volumes, networks and containers.
   * What docker compose runs under this name is taken over.
   * @default COMPOSE_PROJECT_NAME in .env, the name in the Compose file, else the product's name
   * @example "shop"
   */
  project?: string | undefined;
  /**
   * For compose: the profiles that are switched on.
   * @default COMPOSE_PROFILES in .env, else none
   * @example ["prod"]
   */
  profiles?: string[] | undefined;
  /**
   * For compose: files with variables for the Compose file, instead of .env beside it. One that is not in git is read
   * beside this config when a release is made, and its values are kept sealed.
   * @default .env beside the Compose file, where there is one
   * @example ".env.production"
   */
  envFile?: string | string[] | undefined;
  /**
   * For compose: variables for the Compose file, over those of envFile. Not for secrets: this file is in git.
   * @default {}
   * @example { TAG: "1.4" }
   */
  variables?: Record<string, string> | undefined;
  /**
   * For compose: variables for the Compose file that are taken from the environment of the control plane when a release
   * is made. Their values are kept sealed.
   * @default []
   * @example ["POSTGRES_PASSWORD"]
   */
  variablesFrom?: string[] | undefined;
}

/** A container engine. */
export interface HostInput {
  /**
   * Where the engine is.
   * @example "ssh://deploy@vm1"
   */
  url: string;
  /**
   * What it is called in status, plan and logs.
   * @default made of the url
   * @example "vm1"
   */
  name?: string | undefined;
  /**
   * For tcp: the files of the connection's TLS, read anew for each connection, so a renewal needs no restart. An engine
   * is only spoken to without on this machine.
   * @default none
   * @example { ca: "/etc/docker/ca.pem", cert: "/etc/docker/cert.pem", key: "/etc/docker/key.pem" }
   */
  tls?: HostTlsInput | undefined;
  /**
   * The address at which the edge reaches its containers.
   * @default the host of the url; for a socket none, and only an edge on that machine reaches them
   * @example "10.0.0.5"
   */
  address?: string | undefined;
}

/** Who we are to an engine, and whom we believe to be it. */
export interface HostTlsInput {
  /**
   * PEM file of the CA that the engine's certificate is signed by.
   * @example "/etc/docker/ca.pem"
   */
  ca: string;
  /**
   * PEM file of our certificate, which an engine with --tlsverify wants to see.
   * @default none is shown
   * @example "/etc/docker/cert.pem"
   */
  cert?: string | undefined;
  /**
   * PEM file of its key, readable only by us.
   * @default none
   * @example "/etc/docker/key.pem"
   */
  key?: string | undefined;
}

/** Something the services need that is not released: Redis, Postgres. */
export interface AccessoryInput {
  /**
   * The image, by tag or, better, by digest. A running accessory is only replaced when that is asked for.
   * @default must be given, unless the accessory is one of a Compose file
   * @example "redis:7.4"
   */
  image?: string | undefined;
  /**
   * Argument array in place of the image's own command.
   * @default the image's
   * @example ["redis-server", "--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru"]
   */
  command?: string[] | undefined;
  /**
   * The port it listens on. Services of the environment reach it under its own name and this port.
   * @default none
   * @example 6379
   */
  port?: number | undefined;
  /**
   * Environment variables. Not for secrets, because this file is in git: they have a key of their own.
   * @default {}
   * @example { POSTGRES_DB: "shop" }
   */
  env?: Record<string, string> | undefined;
  /**
   * Environment variables whose values are not in git: set them with slipway secret set.
   * @default []
   * @example ["POSTGRES_PASSWORD"]
   */
  secrets?: string[] | undefined;
  /**
   * How one knows that it is well. A deployment waits for that before services start: it has run for 2 seconds, its
   * image's own HEALTHCHECK says so where there is one, its port takes connections, and the command here ends with 0.
   * False takes it as it is.
   * @default {}
   * @example { command: ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"], deadline: "2m" }
   */
  health?: AccessoryHealthInput | false | undefined;
  /**
   * What outlives a container: a volume of the environment, or a directory of the host. A service that has one cannot
   * run beside its successor: it is stopped first, and plan says so.
   * @default []
   * @example ["uploads:/app/uploads", "/etc/ssl/company:/certs:ro"]
   */
  volumes?: string[] | undefined;
  /**
   * Ports of the host that lead to the container, past the edge. A service that has one cannot run beside its
   * successor: it is stopped first.
   * @default []
   * @example ["8125:8125"]
   */
  hostPorts?: string[] | undefined;
  /**
   * Memory it may use.
   * @default no limit
   * @example "512MB"
   */
  memory?: Size | undefined;
  /**
   * Share of one core it may use; 0.5 is half a core.
   * @default no limit
   * @example 0.5
   */
  cpu?: number | undefined;
  /**
   * Time between SIGTERM and SIGKILL when it is stopped.
   * @default "30s"
   * @example "2m"
   */
  stopGrace?: Duration | undefined;
}

/** How one knows that it is well. */
export interface AccessoryHealthInput {
  /**
   * Argument array that is run in its container; exit code 0 says that it is well.
   * @default none
   * @example ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"]
   */
  command?: string[] | undefined;
  /**
   * Time from one look to the next.
   * @default "1s"
   * @example "2s"
   */
  interval?: Duration | undefined;
  /**
   * A connection or a command that takes longer has failed.
   * @default "5s"
   * @example "10s"
   */
  timeout?: Duration | undefined;
  /**
   * It must be well by then, or the deployment fails before any service has started.
   * @default "1m"
   * @example "5m"
   */
  deadline?: Duration | undefined;
}

/** Where images are kept. */
export interface RegistryInput {
  /**
   * Where images are pushed to and pulled from; each service has its own below it.
   * @example "ghcr.io/acme/shop"
   */
  repository: string;
  /**
   * Who logs in.
   * @default nobody: the registry is open
   * @example "deploy-bot"
   */
  user?: string | undefined;
  /**
   * The variable of the control plane's environment that holds the password or token.
   * @default none
   * @example "REGISTRY_TOKEN"
   */
  passwordFrom?: string | undefined;
  /**
   * Argument array that prints the password, for a registry whose passwords end (ECR's after 12 hours). The control
   * plane runs it, in its own environment, when it needs the password: at most every ten minutes, and when the registry
   * refuses the last one. It is given 30 seconds, and prints one line. In place of passwordFrom.
   * @default none
   * @example ["aws", "ecr", "get-login-password", "--region", "eu-central-1"]
   */
  passwordCommand?: string[] | undefined;
  /**
   * After a deployment, images of releases that nobody needs are removed from the registry, when they are neither among
   * the newest nor young. Images that this control plane did not make, or that others have given a tag, are never
   * touched.
   * @default nothing is ever removed there
   * @example { images: 50, age: "90d" }
   */
  retention?: RegistryRetentionInput | undefined;
}

/** What stays in the registry. */
export interface RegistryRetentionInput {
  /**
   * So many of the newest images of each service stay, whatever their age.
   * @default 20
   * @example 50
   */
  images?: number | undefined;
  /**
   * Younger images stay, however many there are.
   * @default "30d"
   * @example "90d"
   */
  age?: Duration | undefined;
}

/** Something that is looked at again and again, and passes or fails: one kind of it. */
export interface ProbeInput {
  /**
   * Asks a URL.
   * @default none
   * @example { url: "https://shop.example.com/up", within: "800ms" }
   */
  http?: EndpointInput | undefined;
  /**
   * Connects.
   * @default none
   * @example "mail.internal:25"
   */
  tcp?: string | undefined;
  /**
   * Looks up a name.
   * @default none
   * @example { name: "shop.example.com", answer: "203.0.113.7" }
   */
  dns?: DnsInput | undefined;
  /**
   * Looks at a certificate.
   * @default none
   * @example { address: "shop.example.com:443" }
   */
  tls?: ShownCertificateInput | undefined;
  /**
   * Logs in and asks SELECT 1.
   * @default none
   * @example { urlFrom: "DATABASE_URL" }
   */
  postgres?: PostgresInput | undefined;
  /**
   * Logs in and pings.
   * @default none
   * @example { urlFrom: "MYSQL_URL" }
   */
  mysql?: MysqlInput | undefined;
  /**
   * Pings, and looks whether it takes writes. Needs no login, and sends none.
   * @default none
   * @example { url: "mongodb://db.internal:27017" }
   */
  mongodb?: MongoInput | undefined;
  /**
   * Logs in and pings.
   * @default none
   * @example { urlFrom: "REDIS_URL" }
   */
  redis?: RedisInput | undefined;
  /**
   * Measures queue delay and queue depth. It passes when they could be read.
   * @default none
   * @example { urlFrom: "REDIS_URL", bullmq: "mails" }
   */
  queue?: QueueInput | undefined;
  /**
   * The service that it is about.
   * @default the environment as a whole
   * @example "api"
   */
  service?: string | undefined;
  /**
   * How often it is measured.
   * @default "30s"
   * @example "10s"
   */
  every?: Duration | undefined;
  /**
   * What has no answer by then has none.
   * @default "5s"
   * @example "2s"
   */
  timeout?: Duration | undefined;
  /**
   * Argument array that is run on the control plane's machine, with PATH and what `variables` names. It passes with
   * exit code 0; of a metric its last line is the number.
   * @default none
   * @example ["check-stock", "--json"]
   */
  command?: string[] | undefined;
  /**
   * Variables of the control plane's environment that the command is given.
   * @default []
   * @example ["PGPASSWORD"]
   */
  variables?: string[] | undefined;
  /**
   * Whether its service, or the environment, counts as down while it fails. A queue never counts.
   * @default true
   * @example false
   */
  uptime?: boolean | undefined;
}

/** A URL that is asked as a user would. */
export interface EndpointInput {
  /**
   * What is asked. Redirects are not followed.
   * @example "https://shop.example.com/up"
   */
  url: string;
  /**
   * How it is asked.
   * @default "GET"
   * @example "HEAD"
   */
  method?: "GET" | "HEAD" | undefined;
  /**
   * HTTP status, or statuses, that pass.
   * @default any 2xx
   * @example [200, 204]
   */
  status?: number | number[] | undefined;
  /**
   * What the answer must contain: a text, or JSON whose keys must be there with these values.
   * @default any body
   * @example { status: "healthy" }
   */
  body?: string | JsonShape | undefined;
  /**
   * The answer must begin by then, connecting included.
   * @default the probe's timeout
   * @example "800ms"
   */
  within?: Duration | undefined;
  /**
   * Headers of the request. Not for secrets: this file is in git.
   * @default {}
   * @example { accept: "application/json" }
   */
  headers?: Record<string, string> | undefined;
  /**
   * Headers whose values are secrets: for each, the variable of the control plane's environment that holds it.
   * @default {}
   * @example { authorization: "STATUS_TOKEN" }
   */
  headersFrom?: Record<string, string> | undefined;
}

/** A name that is looked up. */
export interface DnsInput {
  /**
   * What is looked up.
   * @example "shop.example.com"
   */
  name: string;
  /**
   * Kind of record.
   * @default "A"
   * @example "CNAME"
   */
  type?: "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "NS" | undefined;
  /**
   * Address of the name server, with a port where that is another than 53.
   * @default the system's
   * @example "1.1.1.1"
   */
  server?: string | undefined;
  /**
   * One of the answers must be this.
   * @default any answer
   * @example "203.0.113.7"
   */
  answer?: string | undefined;
}

/** A certificate that somebody shows. */
export interface ShownCertificateInput {
  /**
   * Who is asked for it.
   * @example "shop.example.com:443"
   */
  address: string;
  /**
   * The name it must be for.
   * @default the host of the address
   * @example "shop.example.com"
   */
  servername?: string | undefined;
  /**
   * It fails when the certificate ends within so many days.
   * @default 14
   * @example 21
   */
  days?: number | undefined;
}

/** A PostgreSQL. */
export interface PostgresInput {
  /**
   * Where it is.
   * @default none
   * @example "postgres://db.internal/shop"
   */
  url?: string | undefined;
  /**
   * The variable of the control plane's environment that holds its URL, password included.
   * @default none
   * @example "DATABASE_URL"
   */
  urlFrom?: string | undefined;
}

/** A MySQL or MariaDB. */
export interface MysqlInput {
  /**
   * Where it is.
   * @default none
   * @example "mysql://db.internal/shop"
   */
  url?: string | undefined;
  /**
   * The variable of the control plane's environment that holds its URL, password included.
   * @default none
   * @example "DATABASE_URL"
   */
  urlFrom?: string | undefined;
}

/** A MongoDB. */
export interface MongoInput {
  /**
   * Where it is.
   * @default none
   * @example "mongodb://db.internal/shop"
   */
  url?: string | undefined;
  /**
   * The variable of the control plane's environment that holds its URL, password included.
   * @default none
   * @example "DATABASE_URL"
   */
  urlFrom?: string | undefined;
}

/** A Redis. */
export interface RedisInput {
  /**
   * Where it is.
   * @default none
   * @example "redis://db.internal/shop"
   */
  url?: string | undefined;
  /**
   * The variable of the control plane's environment that holds its URL, password included.
   * @default none
   * @example "DATABASE_URL"
   */
  urlFrom?: string | undefined;
}

/** A queue in a Redis: how many jobs wait, and since when. */
export interface QueueInput {
  /**
   * Where it is.
   * @default none
   * @example "redis://db.internal/shop"
   */
  url?: string | undefined;
  /**
   * The variable of the control plane's environment that holds its URL, password included.
   * @default none
   * @example "DATABASE_URL"
   */
  urlFrom?: string | undefined;
  /**
   * Name of a queue of BullMQ.
   * @default none
   * @example "mails"
   */
  bullmq?: string | undefined;
  /**
   * BullMQ's prefix of keys.
   * @default "bull"
   * @example "jobs"
   */
  prefix?: string | undefined;
  /**
   * Key of a list of jobs.
   * @default none
   * @example "jobs"
   */
  list?: string | undefined;
  /**
   * At which end of the list the next job is taken: last when they are put there by LPUSH, first by RPUSH.
   * @default "last"
   * @example "first"
   */
  oldest?: "first" | "last" | undefined;
  /**
   * Key in the job's JSON that says when it was put there, as milliseconds, seconds or an ISO date. Without it a list
   * has a depth and no delay.
   * @default none
   * @example "enqueuedAt"
   */
  time?: string | undefined;
  /**
   * Key of a stream.
   * @default none
   * @example "events"
   */
  stream?: string | undefined;
  /**
   * The stream's group of consumers.
   * @default none
   * @example "workers"
   */
  group?: string | undefined;
}

/** A number from elsewhere, measured again and again: one kind of it. */
export interface MetricInput {
  /**
   * Asks a Prometheus. A query that gives nothing, NaN or several numbers leaves the metric unknown.
   * @default none
   * @example { url: "http://prometheus.internal:9090", query: "sum(rate(orders_total[5m]))" }
   */
  prometheus?: PrometheusInput | undefined;
  /**
   * Asks CloudWatch, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the control plane's
   * environment.
   * @default none
   * @example { region: "eu-central-1", namespace: "AWS/RDS", metric: "CPUUtilization" }
   */
  cloudwatch?: CloudWatchInput | undefined;
  /**
   * Asks a URL for JSON. Truths are 1 and 0.
   * @default none
   * @example { url: "https://api.example.com/stats", path: "orders.open" }
   */
  json?: JsonInput | undefined;
  /**
   * The service that it is about.
   * @default the environment as a whole
   * @example "api"
   */
  service?: string | undefined;
  /**
   * How often it is measured.
   * @default "30s"
   * @example "10s"
   */
  every?: Duration | undefined;
  /**
   * What has no answer by then has none.
   * @default "5s"
   * @example "2s"
   */
  timeout?: Duration | undefined;
  /**
   * Argument array that is run on the control plane's machine, with PATH and what `variables` names. It passes with
   * exit code 0; of a metric its last line is the number.
   * @default none
   * @example ["check-stock", "--json"]
   */
  command?: string[] | undefined;
  /**
   * Variables of the control plane's environment that the command is given.
   * @default []
   * @example ["PGPASSWORD"]
   */
  variables?: string[] | undefined;
  /**
   * What the number is of, for whoever reads it.
   * @default "none"
   * @example "ms"
   */
  unit?: "none" | "count" | "ratio" | "ms" | "bytes" | "per second" | "days" | undefined;
}

/** A query to a Prometheus. */
export interface PrometheusInput {
  /**
   * The server, without /api/v1.
   * @example "http://prometheus.internal:9090"
   */
  url: string;
  /**
   * PromQL that gives one number.
   * @example "sum(rate(orders_total{env=\"production\"}[5m]))"
   */
  query: string;
  /**
   * Headers whose values are secrets: for each, the variable of the control plane's environment that holds it.
   * @default {}
   * @example { authorization: "STATUS_TOKEN" }
   */
  headersFrom?: Record<string, string> | undefined;
}

/** A metric of Amazon CloudWatch. */
export interface CloudWatchInput {
  /**
   * AWS region.
   * @example "eu-central-1"
   */
  region: string;
  /**
   * Namespace of the metric.
   * @example "AWS/RDS"
   */
  namespace: string;
  /**
   * Name of the metric.
   * @example "CPUUtilization"
   */
  metric: string;
  /**
   * Which of them.
   * @default {}
   * @example { DBInstanceIdentifier: "shop" }
   */
  dimensions?: Record<string, string> | undefined;
  /**
   * Average, Sum, Maximum, Minimum, SampleCount, or a percentile such as p95.
   * @default "Average"
   * @example "p95"
   */
  statistic?: string | undefined;
  /**
   * Over which time it is taken.
   * @default "1m"
   * @example "5m"
   */
  period?: Duration | undefined;
}

/** A number in the JSON that a URL answers. */
export interface JsonInput {
  /**
   * What is asked.
   * @example "https://api.example.com/stats"
   */
  url: string;
  /**
   * Where in the JSON it is.
   * @example "data.queues[0].length"
   */
  path: string;
  /**
   * Headers of the request. Not for secrets: this file is in git.
   * @default {}
   * @example { accept: "application/json" }
   */
  headers?: Record<string, string> | undefined;
  /**
   * Headers whose values are secrets: for each, the variable of the control plane's environment that holds it.
   * @default {}
   * @example { authorization: "STATUS_TOKEN" }
   */
  headersFrom?: Record<string, string> | undefined;
}

/** A rule with what a line does not say. */
export interface RuleInput {
  /**
   * The rule in a line: metric, condition, window, and what is done.
   * @example "error ratio > 10% for 5m -> rollback"
   */
  when: RuleLine;
  /**
   * What a look has to rest on: requests for a ratio or a latency, samples for everything else. With less it says
   * nothing.
   * @default 1
   * @example 50
   */
  minimum?: number | undefined;
  /**
   * How many looks in a row, one a second, have to say that it is broken before it fires.
   * @default 1
   * @example 3
   */
  looks?: number | undefined;
  /**
   * What it means that nothing was measured: wait changes nothing, fire counts as broken.
   * @default "wait"
   * @example "fire"
   */
  whenUnknown?: "wait" | "fire" | undefined;
  /**
   * Writes down what it would have done, and does nothing.
   * @default false
   * @example true
   */
  dryRun?: boolean | undefined;
}

/** A switch in the code that may be turned without a release. */
export interface FlagInput {
  /**
   * The value of those who have it off: a boolean, a text or a number.
   * @default false
   * @example "blue"
   */
  off?: boolean | string | number | undefined;
  /**
   * The value of those who have it on, of the same type.
   * @default true
   * @example "green"
   */
  on?: boolean | string | number | undefined;
  /**
   * How many have it on, where no rule matches. A percentage that grows takes nobody out.
   * @default "0%"
   * @example "25%"
   */
  percentage?: Percent | undefined;
  /**
   * Who is decided apart from the others; the first that matches decides.
   * @default []
   * @example [{ when: { plan: ["pro"] }, percentage: "100%" }]
   */
  rules?: FlagRuleInput[] | undefined;
}

/** Who is decided apart from the others. */
export interface FlagRuleInput {
  /**
   * Attributes and the texts of which each must have one; * stands for any text. All must match. key is who asks.
   * @example { plan: ["pro", "team"], key: ["*@example.com"] }
   */
  when: Record<string, string[]>;
  /**
   * How many of them have it on.
   * @default "100%"
   * @example "50%"
   */
  percentage?: Percent | undefined;
}

/** Where services ask for their flags. */
export interface FlagServerInput {
  /**
   * Where the control plane answers them, and nothing else: the API is not reachable there.
   * @default "127.0.0.1:9810"
   * @example ":9810"
   */
  listen?: string | number | undefined;
  /**
   * How services reach that, where it is not the same: from containers, from other machines.
   * @default http:// and what it listens at
   * @example "http://10.0.0.9:9810"
   */
  url?: string | undefined;
}

/** Somebody who is told, by a webhook. */
export interface NotifierInput {
  /**
   * Name of the variable that holds the address, in the control plane's environment. The address itself is a secret.
   * @example "SLACK_WEBHOOK"
   */
  urlFrom: string;
  /**
   * What is sent: slack is a text, as Slack, Mattermost and Rocket.Chat take it; alertmanager is its version 4 payload.
   * @default "slack"
   * @example "alertmanager"
   */
  format?: "slack" | "alertmanager" | undefined;
}

/** Which files slipway synth writes, for those who stay with other tools. */
export interface SynthInput {
  /**
   * Whether slipway synth writes the workflow for GitHub Actions.
   * @default false
   * @example true
   */
  github?: boolean | undefined;
  /**
   * Whether slipway synth writes a declarative Jenkinsfile.
   * @default false
   * @example true
   */
  jenkins?: boolean | undefined;
  /**
   * Whether slipway synth writes scripts/ci: one script a step of the pipeline, and those that deploy and tell people.
   * @default false
   * @example true
   */
  scripts?: boolean | undefined;
  /**
   * Whether slipway synth writes docker-compose.prod.yml: the services and accessories, on images of a registry or
   * built there.
   * @default false
   * @example true
   */
  compose?: boolean | undefined;
  /**
   * Whether slipway synth writes docker-compose.integration.yml: accessories to throw away, for tests.
   * @default false
   * @example true
   */
  integration?: boolean | undefined;
  /**
   * Whether slipway synth writes a Dockerfile and .dockerignore for each service that has none.
   * @default false
   * @example true
   */
  docker?: boolean | undefined;
  /**
   * Whether slipway synth writes the Caddyfile in front of docker-compose.prod.yml.
   * @default false
   * @example true
   */
  caddy?: boolean | undefined;
  /**
   * Whether slipway synth writes the template of the file with variables: names only.
   * @default false
   * @example true
   */
  env?: boolean | undefined;
  /**
   * Whether slipway synth writes init-server.sh, which makes a server ready.
   * @default false
   * @example true
   */
  server?: boolean | undefined;
  /**
   * Whether slipway synth writes updates of dependencies, by what is in the repository.
   * @default false
   * @example true
   */
  dependabot?: boolean | undefined;
  /**
   * Whether slipway synth writes DEPLOYMENT.md: what is where, and a checklist.
   * @default false
   * @example true
   */
  deployment?: boolean | undefined;
  /**
   * Whose docker-compose.prod.yml, Caddyfile, template and init-server.sh are written.
   * @default production, where there is one, else the last
   * @example "production"
   */
  environment?: string | undefined;
  /**
   * The branch whose pushes are deployed, where triggers do not say it.
   * @default "main"
   * @example "trunk"
   */
  branch?: string | undefined;
  /**
   * Where the checks run: a machine of GitHub, or the label of one of yours.
   * @default "ubuntu-24.04"
   * @example "ubuntu-24.04"
   */
  runner?: string | undefined;
  /**
   * The label of the runner, or of Jenkins' agent, on the machine of the control plane. It needs no key to deploy: it
   * may because of where it is.
   * @default "slipway"
   * @example "slipway"
   */
  deployRunner?: string | undefined;
  /**
   * Who is told how it went.
   * @default {}
   * @example { slack: "SLACK_WEBHOOK" }
   */
  notices?: SynthNoticesInput | undefined;
}

/** Who is told by the pipeline that synth writes. */
export interface SynthNoticesInput {
  /**
   * The variable, or the credential in Jenkins, with the address of a webhook of Slack.
   * @default nobody is told there
   * @example "SLACK_WEBHOOK"
   */
  slack?: string | undefined;
  /**
   * The item that gets an update.
   * @default none
   * @example { tokenFrom: "MONDAY_TOKEN", item: "1234567890" }
   */
  monday?: SynthMondayInput | undefined;
}

/** An item at Monday that gets an update. */
export interface SynthMondayInput {
  /**
   * The variable, or the credential in Jenkins, with the API's token.
   * @example "MONDAY_TOKEN"
   */
  tokenFrom: string;
  /**
   * The item's number.
   * @example "1234567890"
   */
  item: string;
}

/**
 * A named place: what is different there. Maps are merged key by key; texts, numbers and lists replace; null goes back
 * to the default.
 */
export interface EnvironmentInput {
  /**
   * A release is only let in after it has succeeded in this environment.
   * @default none: every release is let in
   * @example "staging"
   */
  promoteFrom?: string | undefined;
  /**
   * Who takes a release here that has succeeded in `promoteFrom`: a person or a CI's job, or the control plane by
   * itself, through the same gates. It begins the load tests that they ask for, too.
   * @default "manual"
   * @example "automatic"
   */
  promotion?: "manual" | "automatic" | undefined;
  /**
   * What must be open before a deployment begins here. What is live holds with its own gates too, so a release that has
   * fewer must still pass those. A rollback passes all.
   * @default nothing: a deployment begins at once
   * @example { approval: { teams: ["ops"] } }
   */
  gates?: GatesInput | undefined;
  /**
   * Makes this environment a template for previews: one for each branch or pull request that triggers deploy to it.
   * @default none: it is a place of its own
   * @example { host: "{name}.preview.example.org", ttl: "7d", limit: 5 }
   */
  previews?: PreviewsInput | undefined;
  /**
   * What is different about services here; null leaves a service out.
   * @default {}
   * @example { web: { instances: 3 }, "mail-catcher": null }
   */
  services?: Record<string, ServiceOverride | null> | undefined;
  /**
   * How a release takes the traffic here and when it is taken back.
   * @default the product's value
   * @example { bake: "30s" }
   */
  rollout?: RolloutOverride | null | undefined;
  /**
   * How requests come in here.
   * @default the product's value
   * @example { listen: ":8081" }
   */
  edge?: EdgeOverride | null | undefined;
  /**
   * What is kept here.
   * @default the product's value
   * @example { releases: 10 }
   */
  retention?: RetentionOverride | null | undefined;
  /**
   * What is different about accessories here; null leaves one out.
   * @default the product's value
   * @example { redis: { memory: "1GB" } }
   */
  accessories?: Record<string, AccessoryOverride | null> | null | undefined;
  /**
   * Probes of this environment: one of the same name takes the place of the product's, null leaves it out.
   * @default the product's value
   * @example { database: { postgres: { urlFrom: "STAGING_DATABASE_URL" } } }
   */
  probes?: Record<string, ProbeInput | null> | null | undefined;
  /**
   * Metrics of this environment: one of the same name takes the place of the product's, null leaves it out.
   * @default the product's value
   * @example { orders: null }
   */
  metrics?: Record<string, MetricInput | null> | null | undefined;
  /**
   * Rules that are different here, by name; null takes one away.
   * @default the product's value
   * @example { errors: null }
   */
  rules?: Record<string, RuleLine | RuleInput | null> | null | undefined;
  /**
   * Flags that are different here, by name; null takes one away.
   * @default the product's value
   * @example { "new-checkout": { percentage: "100%" } }
   */
  flags?: Record<string, FlagInput | null> | null | undefined;
  /**
   * Who is told here, by name; null takes one away.
   * @default the product's value
   * @example { team: { urlFrom: "SLACK_STAGING" } }
   */
  notifiers?: Record<string, NotifierInput | null> | null | undefined;
  /**
   * Where images are kept for this environment.
   * @default the product's value
   * @example { repository: "ghcr.io/acme/shop-staging" }
   */
  registry?: RegistryOverride | null | undefined;
  /**
   * Where the product runs here.
   * @default the product's value
   * @example { driver: "process" }
   */
  target?: TargetOverride | null | undefined;
}

/** What must be open before a deployment begins. */
export interface GatesInput {
  /**
   * How long after it was asked for a deployment begins: time to think better of it.
   * @default none
   * @example "10m"
   */
  wait?: Duration | undefined;
  /**
   * How long the release must have been live in `promoteFrom` after its bake there, without a rule that fired. A rule
   * that fires begins the time anew.
   * @default it must have succeeded there, however short ago
   * @example "4h"
   */
  baked?: Duration | undefined;
  /**
   * Whether the load tests of `promoteFrom`, the steps with a loadTest there, must have passed with the release:
   * slipway load-test <environment>.
   * @default false
   * @example true
   */
  loadTest?: boolean | undefined;
  /**
   * When deployments may begin; what has begun may finish. A rollback passes, and so does one that is asked for with
   * --override-window and a reason.
   * @default at any time
   * @example [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }]
   */
  windows?: WindowInput[] | undefined;
  /**
   * When no deployment may begin, also in a window. Rollbacks and --override-window pass.
   * @default never
   * @example [{ cron: "2026-12-20T00:00", duration: "14d", timeZone: "Europe/Berlin", reason: "Christmas" }]
   */
  freezes?: FreezeInput[] | undefined;
  /**
   * Checks or statuses that must have succeeded at the forge for the release's commit, by their names there. One that
   * has failed ends the deployment. Needs triggers.report.
   * @default none
   * @example ["ci/build", "lint"]
   */
  checks?: string[] | undefined;
  /**
   * How long a deployment waits for its checks. Then it is called off.
   * @default "1d"
   * @example "2h"
   */
  checksExpire?: Duration | undefined;
  /**
   * Whether something must be left of an error budget: of the share of requests that may fail. While it is spent no
   * deployment begins; a rollback does, and one that is asked for with --override-budget and a reason.
   * @default however much has failed
   * @example { objective: "99.9%" }
   */
  budget?: BudgetInput | undefined;
  /**
   * What must hold of what is live there, as rules say it; with during only at those times. What cannot be measured
   * does not hold. A rollback passes, and so does a deployment that is asked for with --override-budget and a reason.
   * @default nothing
   * @example ["error ratio < 1% over 10m", "queue delay of mailer < 30s during mon-fri 09:00-17:00 Europe/Berlin"]
   */
  when?: HeldLine[] | undefined;
  /**
   * People who must approve before a deployment begins. A rollback needs nobody's word.
   * @default nobody has to
   * @example { teams: ["ops"], count: 2 }
   */
  approval?: ApprovalInput | undefined;
}

/** An error budget of which something must be left. */
export interface BudgetInput {
  /**
   * The share of requests that must succeed. What is left to 100% is the budget.
   * @example "99.9%"
   */
  objective: Percent;
  /**
   * The time, up to now, in which requests are counted.
   * @default "28d"
   * @example "7d"
   */
  over?: Duration | undefined;
  /**
   * Whose requests.
   * @default all services together
   * @example "api"
   */
  service?: string | undefined;
  /**
   * Where, such as the environment that is promoted from.
   * @default the environment itself
   * @example "staging"
   */
  in?: string | undefined;
}

/**
 * Makes the environment a template: nothing is deployed to it, but branches and pull requests get one each of their own
 * like it.
 */
export interface PreviewsInput {
  /**
   * The host of a preview. {name} stands for its own part of its name, such as pr-12. All routes of the template answer
   * there, whatever host they have elsewhere.
   * @default "{name}.localhost"
   * @example "{name}.preview.example.org"
   */
  host?: string | undefined;
  /**
   * How long after the last push it is removed.
   * @default "7d"
   * @example "14d"
   */
  ttl?: Duration | undefined;
  /**
   * How long nobody has asked it anything before it is stopped. The next request waits until it has been started again.
   * Only with the embedded edge.
   * @default it never sleeps
   * @example "30m"
   */
  sleep?: Duration | undefined;
  /**
   * How many there may be at once.
   * @default 5
   * @example 10
   */
  limit?: number | undefined;
  /**
   * What is done when there would be one more: the one that nobody has asked or pushed to for the longest time is
   * removed, or the new one is refused.
   * @default "oldest"
   * @example "refuse"
   */
  whenFull?: "oldest" | "refuse" | undefined;
  /**
   * What previews may cost.
   * @default nobody reckons
   * @example { instanceHour: 0.02, perMonth: 20 }
   */
  cost?: PreviewCostInput | undefined;
  /**
   * Commands that make, fill and remove the data of a preview. Containers have accessories and volumes of their own
   * without them.
   * @default none
   * @example { prepare: ["node", "scripts/preview-data.js"] }
   */
  data?: PreviewDataInput | undefined;
}

/** What previews cost, as far as it is known here: their instances, for as long as they run. */
export interface PreviewCostInput {
  /**
   * What an instance costs in an hour, in whatever money you reckon in.
   * @example 0.02
   */
  instanceHour: number;
  /**
   * What all previews of this template may cost in a month of UTC. From then on none is made, and those that run go to
   * sleep.
   * @example 20
   */
  perMonth: number;
}

/**
 * A preview's own data, made and removed by commands of the commit. They run in a checkout of it, with
 * SLIPWAY_DATA_DIR, a directory that only this preview has and that its processes are told of too, SLIPWAY_PREVIEW, its
 * name, and SLIPWAY_URL.
 */
export interface PreviewDataInput {
  /**
   * Makes a PostgreSQL database for each preview, and drops it when that goes.
   * @default none
   * @example { template: "shop_template", admin: "ADMIN_DATABASE_URL" }
   */
  postgres?: PreviewDatabaseInput | undefined;
  /**
   * Makes the data, once, before the first release of the preview starts.
   * @default nothing
   * @example ["node", "scripts/preview-data.js"]
   */
  prepare?: string[] | undefined;
  /**
   * Fills it, once, after prepare.
   * @default nothing
   * @example ["node", "scripts/seed.js"]
   */
  seed?: string[] | undefined;
  /**
   * Removes what lies outside the preview's own directory, which is removed in any case, when the preview goes. Of the
   * commit that prepare was of.
   * @default nothing
   * @example ["node", "scripts/drop-database.js"]
   */
  destroy?: string[] | undefined;
  /**
   * Environment variables of the commands whose values are not in git, such as who may make a database: slipway secret
   * set <name> -e <template>. They are masked in what is kept of their output.
   * @default []
   * @example ["ADMIN_DATABASE_URL"]
   */
  secrets?: string[] | undefined;
  /**
   * A command that has not ended by then is stopped, with all that it has started, and has failed.
   * @default "5m"
   * @example "10m"
   */
  timeout?: Duration | undefined;
}

/**
 * A PostgreSQL database of its own for each preview, made with psql on the control plane's machine before prepare, and
 * dropped after destroy.
 */
export interface PreviewDatabaseInput {
  /**
   * The database that it is a copy of. While somebody is connected to that one, PostgreSQL copies it for nobody.
   * @default it is empty
   * @example "shop_template"
   */
  template?: string | undefined;
  /**
   * A file of the commit that it is filled with: of pg_dump, as SQL or as an archive.
   * @default nothing
   * @example "db/seed.dump"
   */
  dump?: string | undefined;
  /**
   * The secret that services have as its address. What is set for the template names the server and the role; the
   * database in it is the preview's own.
   * @default "DATABASE_URL"
   * @example "POSTGRES_URL"
   */
  secret?: string | undefined;
  /**
   * The secret with the address of a role that may make databases, give them to the services' role, and drop them.
   * @default the same secret: then that role makes its own
   * @example "ADMIN_DATABASE_URL"
   */
  admin?: string | undefined;
}

/** What is different about a service in one environment. Null goes back to the default. */
export interface ServiceOverride {
  /**
   * Argument array, run in the unpacked artifact; the first is looked up on PATH. Never a shell string. Every service
   * but a static one has one, unless its image has. A web service listens on the port it is given in PORT.
   * @default the product's value
   * @example ["node", "server.js"]
   */
  command?: string[] | null | undefined;
  /**
   * How one knows that an instance is healthy.
   * @default the product's value
   * @example { deadline: "2m" }
   */
  health?: HealthOverride | null | undefined;
  /**
   * How soon users have to be off a bad release once it is known to be bad: frontend 2m, backend 5m, database 15m.
   * Measured at each automatic rollback; nothing else depends on it.
   * @default the product's value
   * @example "backend"
   */
  tier?: "frontend" | "backend" | "database" | null | undefined;
  /**
   * That time, where the tier's does not fit.
   * @default the product's value
   * @example "1m"
   */
  restoreWithin?: Duration | null | undefined;
  /**
   * Time between SIGTERM and SIGKILL when an instance is stopped.
   * @default the product's value
   * @example "2m"
   */
  stopGrace?: Duration | null | undefined;
  /**
   * How many instances run; with scale, how many the first release begins with. A job runs once and has none.
   * @default the product's value
   * @example 3
   */
  instances?: number | null | undefined;
  /**
   * How the number of instances follows the load.
   * @default the product's value
   * @example { max: 6 }
   */
  scale?: ScaleOverride | null | undefined;
  /**
   * Variables added or changed here; null removes one.
   * @default the product's value
   * @example { LOG_LEVEL: "debug", TRACE: null }
   */
  env?: Record<string, string | null> | null | undefined;
  /**
   * Environment variables whose values are not in git: set them for each environment with slipway secret set. A release
   * is made with the values of its day, and a rollback brings those back.
   * @default the product's value
   * @example ["DATABASE_URL"]
   */
  secrets?: string[] | null | undefined;
  /**
   * Which requests reach a web or static service: "/api", "example.org", "example.org/api", or a list of such texts and
   * of objects. An empty list keeps the service private.
   * @default the product's value
   * @example ["/api", { host: "api.example.org", path: "/v1", strip: true }]
   */
  routes?: string | (string | RouteInput)[] | null | undefined;
  /**
   * For a static service: the file, relative to what is packed, that answers unknown paths, as single-page apps need
   * it.
   * @default the product's value
   * @example "index.html"
   */
  fallback?: string | null | undefined;
  /**
   * Limits of an instance, where the target can hold them.
   * @default the product's value
   * @example { memory: "1GB" }
   */
  resources?: ResourcesOverride | null | undefined;
  /**
   * The port a web service listens on in its container; it is told in PORT too. A process is given a free one instead.
   * @default the product's value
   * @example 3000
   */
  port?: number | null | undefined;
  /**
   * What outlives a container: a volume of the environment, or a directory of the host. A service that has one cannot
   * run beside its successor: it is stopped first, and plan says so.
   * @default the product's value
   * @example ["uploads:/app/uploads", "/etc/ssl/company:/certs:ro"]
   */
  volumes?: string[] | null | undefined;
  /**
   * Ports of the host that lead to the container, past the edge. A service that has one cannot run beside its
   * successor: it is stopped first.
   * @default the product's value
   * @example ["8125:8125"]
   */
  hostPorts?: string[] | null | undefined;
  /**
   * What a service's container may do.
   * @default the product's value
   * @example { rootUser: "refuse" }
   */
  container?: ContainerOverride | null | undefined;
}

/** Health, as far as it is different here. */
export interface HealthOverride {
  /**
   * Path that is asked by GET to see whether an instance is healthy. Only for web and static services; a worker is
   * healthy when it has run for startPeriod without an exit, a job when it has ended with exit code 0.
   * @default the product's value
   * @example "/up"
   */
  path?: string | null | undefined;
  /**
   * HTTP status, or statuses, that count as healthy. Redirects are not followed. When path is left out, a redirect
   * counts too, since a front page may send people to a login.
   * @default the product's value
   * @example [200, 204]
   */
  status?: number | number[] | null | undefined;
  /**
   * What the answer must contain: a text that must occur in it, or JSON whose keys must be there with these values, at
   * any depth; other keys are allowed. An environment's value replaces the product's as a whole.
   * @default the product's value
   * @example { status: "healthy", database: "connected" }
   */
  body?: string | JsonShape | null | undefined;
  /**
   * Time from one probe of an instance to the next.
   * @default the product's value
   * @example "2s"
   */
  interval?: Duration | null | undefined;
  /**
   * A probe that has no complete answer by then has failed.
   * @default the product's value
   * @example "3s"
   */
  timeout?: Duration | null | undefined;
  /**
   * Failed probes in a row, after the first success, until an instance counts as unhealthy.
   * @default the product's value
   * @example 5
   */
  retries?: number | null | undefined;
  /**
   * Grace after the start of an instance in which a failed probe does not count. For a worker: how long it must have
   * run without an exit to be healthy.
   * @default the product's value
   * @example "10s"
   */
  startPeriod?: Duration | null | undefined;
  /**
   * All instances must have been healthy once by then, or the deployment fails and nothing is switched. A job must have
   * ended with exit code 0 by then.
   * @default the product's value
   * @example "2m"
   */
  deadline?: Duration | null | undefined;
  /**
   * How often an instance that is unhealthy is restarted within restartWithin. After that its release is taken back
   * while a deployment watches it without a rule on health, else everybody is told. 0 restarts none.
   * @default the product's value
   * @example 0
   */
  restarts?: number | null | undefined;
  /**
   * How long an instance is unhealthy before it is restarted. Doubles with each restart within restartWithin.
   * @default the product's value
   * @example "1m"
   */
  restartAfter?: Duration | null | undefined;
  /**
   * Time in which restarts are counted.
   * @default the product's value
   * @example "30m"
   */
  restartWithin?: Duration | null | undefined;
}

/** Scaling, as far as it is different here. */
export interface ScaleOverride {
  /**
   * Never fewer instances than these.
   * @default the product's value
   * @example 2
   */
  min?: number | null | undefined;
  /**
   * Never more instances than these, unless a person asks for them.
   * @default the product's value
   * @example 6
   */
  max?: number | null | undefined;
  /**
   * The use of processor time, of what an instance may use, above which another one is wanted; the average of all
   * instances.
   * @default the product's value
   * @example "70%"
   */
  cpu?: Percent | null | undefined;
  /**
   * The same for memory, of the service's resources.memory, which it needs; of several instances the fullest.
   * @default the product's value
   * @example "80%"
   */
  memory?: Percent | null | undefined;
  /**
   * What else is too much, as rules say it. requests, errors and in flight are those of one instance. The service's
   * own, unless it says of another one.
   * @default the product's value
   * @example ["queue delay > 30s"]
   */
  when?: string[] | null | undefined;
  /**
   * How long one of the targets must be passed without a break before there is an instance more.
   * @default the product's value
   * @example "1m"
   */
  upAfter?: Duration | null | undefined;
  /**
   * How long all targets must leave room for an instance less. Twice as long each time that it soon turns out to have
   * been one too few.
   * @default the product's value
   * @example "10m"
   */
  downAfter?: Duration | null | undefined;
  /**
   * How many instances at most are started or stopped at once.
   * @default the product's value
   * @example 2
   */
  step?: number | null | undefined;
  /**
   * Only says what it would do, in the history, and does nothing.
   * @default the product's value
   * @example true
   */
  suggest?: boolean | null | undefined;
}

/** Limits, as far as they are different here. */
export interface ResourcesOverride {
  /**
   * Memory an instance may use. MB is 1,000,000 bytes, MiB is 1,048,576.
   * @default the product's value
   * @example "512MB"
   */
  memory?: Size | null | undefined;
  /**
   * Share of one core an instance may use; 0.5 is half a core.
   * @default the product's value
   * @example 0.5
   */
  cpu?: number | null | undefined;
}

/** What a container may do, as far as it is different here. */
export interface ContainerOverride {
  /**
   * Whether the container's own file system is read-only; volumes and /tmp stay writable.
   * @default the product's value
   * @example true
   */
  readOnlyRoot?: boolean | null | undefined;
  /**
   * Capabilities taken from the container.
   * @default the product's value
   * @example ["ALL"]
   */
  dropCapabilities?: string[] | null | undefined;
  /**
   * Capabilities given to the container.
   * @default the product's value
   * @example ["NET_BIND_SERVICE"]
   */
  addCapabilities?: string[] | null | undefined;
  /**
   * The user the container runs as.
   * @default the product's value
   * @example "1000:1000"
   */
  user?: string | null | undefined;
  /**
   * Whether a small init is process 1, that reaps children and passes signals on.
   * @default the product's value
   * @example false
   */
  init?: boolean | null | undefined;
  /**
   * What an image meets that would run as root: warn says so in the plan and in the history of each deployment, refuse
   * blocks the plan and starts nothing.
   * @default the product's value
   * @example "refuse"
   */
  rootUser?: "allow" | "warn" | "refuse" | null | undefined;
  /**
   * How a container's log is kept on its host.
   * @default the product's value
   * @example { maxSize: "50MB", keep: 5 }
   */
  logs?: LogsInput | null | undefined;
}

/** The rollout, as far as it is different here. */
export interface RolloutOverride {
  /**
   * How traffic moves: blue-green starts all instances of the candidate and switches at once; rolling replaces a batch
   * of instances at a time; canary gives the candidate a small share of the requests, compares it with stable, and goes
   * on step by step.
   * @default the product's value
   * @example "canary"
   */
  strategy?: "blue-green" | "rolling" | "canary" | null | undefined;
  /**
   * The watch after all traffic is on the candidate. Nothing is called succeeded before it has passed, and a rule that
   * fires in it takes the release back.
   * @default the product's value
   * @example "10m"
   */
  bake?: Duration | null | undefined;
  /**
   * For rolling: how many instances are replaced at once, as a share of them (at least one) or as a number.
   * @default the product's value
   * @example "50%"
   */
  batch?: Percent | number | null | undefined;
  /**
   * For canary: the shares of the requests that the candidate gets one after the other, rising. All traffic comes after
   * the last one, by itself.
   * @default the product's value
   * @example ["1%", { weight: "10%", bake: "10m", promotion: "manual" }, "50%"]
   */
  steps?: (Percent | StepInput)[] | null | undefined;
  /**
   * For canary: how long each step is watched at least. It goes on when nothing speaks against the candidate, and is
   * taken back at once when something does.
   * @default the product's value
   * @example "10m"
   */
  stepBake?: Duration | null | undefined;
  /**
   * For canary: requests that each service of the candidate must have answered in a step before the next one. With
   * fewer the step waits.
   * @default the product's value
   * @example 100
   */
  stepMinimum?: number | null | undefined;
  /**
   * For canary: how long a step, beyond its own time, waits for what it is judged by (requests, counts, health). Then
   * it asks a person: `slipway resume`, `slipway promote-step` or `slipway cancel`. It never goes on without.
   * @default the product's value
   * @example "2h"
   */
  stepLimit?: Duration | null | undefined;
  /**
   * For canary: how many instances of the candidate run in a step: as many as its share of the requests needs, at least
   * one; or all from the first step on.
   * @default the product's value
   * @example "all"
   */
  stepInstances?: "share" | "all" | null | undefined;
  /**
   * For canary: whether the next step is taken by itself when one has passed, or by a person with `slipway
   * promote-step`.
   * @default the product's value
   * @example "manual"
   */
  promotion?: "automatic" | "manual" | null | undefined;
  /**
   * Requests that stand in for users' while those are few. false sends none.
   * @default the product's value
   * @example { path: "/products", perSecond: 1 }
   */
  synthetic?: SyntheticOverride | false | null | undefined;
  /**
   * Whether a watch ends before its time once it is proven, at the rate of `rules.falseAlarms`, that the candidate is
   * no worse: never, in the steps of a canary, or also in the bake. What begins later, such as a leak, is then not
   * seen. A bad candidate is always taken back at once.
   * @default the product's value
   * @example "steps"
   */
  endEarly?: "never" | "steps" | "always" | null | undefined;
  /**
   * How long requests in flight may go on at a revision that gets no new ones.
   * @default the product's value
   * @example "1m"
   */
  drain?: Duration | null | undefined;
  /**
   * How long WebSockets and event streams may stay on a revision that gets no new requests.
   * @default the product's value
   * @example "1h"
   */
  streamLimit?: Duration | null | undefined;
  /**
   * What takes a release back while it is watched.
   * @default the product's value
   * @example { errorRatio: false }
   */
  rules?: RulesOverride | null | undefined;
  /**
   * What a deployment does that comes while another is under way in the same environment: wait its turn, replace it, or
   * be refused.
   * @default the product's value
   * @example "replace"
   */
  whenBusy?: "queue" | "replace" | "refuse" | null | undefined;
}

/** The requests, as far as they are different here. */
export interface SyntheticOverride {
  /**
   * Asked by GET, of the candidate's instances directly, past the edge. It must be safe to ask.
   * @default the product's value
   * @example "/products"
   */
  path?: string | null | undefined;
  /**
   * Requests a second at most, for each service.
   * @default the product's value
   * @example 5
   */
  perSecond?: number | null | undefined;
}

/** Rules, as far as they are different here. */
export interface RulesOverride {
  /**
   * Takes a release back when it answers more errors than the stable one. false turns the rule off.
   * @default the product's value
   * @example { margin: "10%" }
   */
  errorRatio?: ErrorRatioOverride | false | null | undefined;
  /**
   * Takes a release back when it answers more slowly than the stable one. false turns the rule off.
   * @default the product's value
   * @example { factor: 3 }
   */
  latency?: LatencyOverride | false | null | undefined;
  /**
   * How many of the deployments whose release is no worse than allowed may be taken back nevertheless, by errorRatio
   * and latency together over all services. Holds however often it is looked at.
   * @default the product's value
   * @example "0.1%"
   */
  falseAlarms?: Percent | null | undefined;
  /**
   * Takes a release back when an instance becomes unhealthy or exits by itself.
   * @default the product's value
   * @example false
   */
  healthLost?: boolean | null | undefined;
}

/** The rule, as far as it is different here. */
export interface ErrorRatioOverride {
  /**
   * How far the candidate's share of 5xx answers may be above the stable release's. A smaller one finds bad releases
   * earlier.
   * @default the product's value
   * @example "5%"
   */
  margin?: Percent | null | undefined;
  /**
   * Requests the candidate must have answered before its ratio is judged. The comparison needs none; it is for the
   * first answers after a start.
   * @default the product's value
   * @example 100
   */
  minimum?: number | null | undefined;
  /**
   * For how long the errors of fresh instances are held against coldMargin instead, for a cache that is cold fails at
   * first and heals. What is bad within the two margins is found only after it.
   * @default the product's value
   * @example "30s"
   */
  warmUp?: Duration | null | undefined;
  /**
   * How far the candidate's share of 5xx answers may be above the stable release's within warmUp.
   * @default the product's value
   * @example "20%"
   */
  coldMargin?: Percent | null | undefined;
}

/** The rule, as far as it is different here. */
export interface LatencyOverride {
  /**
   * How many times as long as the stable release's the candidate's answers may take.
   * @default the product's value
   * @example 1.5
   */
  factor?: number | null | undefined;
  /**
   * How much longer they may take in any case: between 2 and 4 ms nobody sees a difference.
   * @default the product's value
   * @example "100ms"
   */
  floor?: Duration | null | undefined;
  /**
   * What is compared: the time within which half of the answers began, 95 % of them, 99 % of them.
   * @default the product's value
   * @example ["p95"]
   */
  quantiles?: ("p50" | "p95" | "p99")[] | null | undefined;
  /**
   * Answers that both releases must have given before they are compared.
   * @default the product's value
   * @example 500
   */
  minimum?: number | null | undefined;
  /**
   * How long after its first request the candidate may be slow without being judged for it, and again after each step
   * that brings new instances.
   * @default the product's value
   * @example "2m"
   */
  warmUp?: Duration | null | undefined;
}

/** The edge, as far as it is different here. */
export interface EdgeOverride {
  /**
   * What routes the traffic: embedded is Slipway's own, for development, private networks and small sites; caddy (2.8
   * or newer) is for the public internet.
   * @default the product's value
   * @example "caddy"
   */
  driver?: "embedded" | "caddy" | null | undefined;
  /**
   * For caddy: the machine it runs on, such as ssh://deploy@vm1.
   * @default the product's value
   * @example "ssh://deploy@vm1"
   */
  server?: string | null | undefined;
  /**
   * TLS beside plain HTTP; false, and there is none.
   * @default the product's value
   * @example { listen: ":8443" }
   */
  tls?: TlsOverride | false | null | undefined;
  /**
   * Where the edge listens: ":8080" on every IPv4 address, "127.0.0.1:8080", "[::]:8080", or a port alone. Port 0 takes
   * a free one.
   * @default the product's value
   * @example "127.0.0.1:8080"
   */
  listen?: string | number | null | undefined;
  /**
   * Addresses and ranges of proxies whose X-Forwarded-For and -Proto and trace headers are believed.
   * @default the product's value
   * @example ["10.0.0.0/8"]
   */
  trustedProxies?: string[] | null | undefined;
  /**
   * Sends plain HTTP to https with 308. By itself for every route that names a host which tls has a certificate for;
   * true for all routes, also where a trusted proxy in front says which one it was; false for none.
   * @default the product's value
   * @example false
   */
  redirectToHttps?: boolean | null | undefined;
  /**
   * Sends www.<host> to <host> with 301, for every host in a route.
   * @default the product's value
   * @example true
   */
  redirectWww?: boolean | null | undefined;
  /**
   * Headers added or changed here; false is not set at all, null goes back to the default.
   * @default the product's value
   * @example { "x-robots-tag": "noindex" }
   */
  headers?: Record<string, string | false | null> | null | undefined;
  /**
   * Tells browsers to come by https only; false, and it is not said.
   * @default the product's value
   * @example { maxAge: "1d" }
   */
  hsts?: HstsOverride | false | null | undefined;
  /**
   * Which other web origins may ask from a browser; false, and no CORS header is set.
   * @default the product's value
   * @example { origins: ["https://staging.example.org"] }
   */
  cors?: CorsOverride | false | null | undefined;
  /**
   * Paths that only some client addresses may reach.
   * @default the product's value
   * @example [{ path: "/admin", allow: ["10.0.0.0/8"] }]
   */
  allowLists?: AllowListInput[] | null | undefined;
  /**
   * How many requests one client IP may make; false, and there is no limit.
   * @default the product's value
   * @example { requests: 1000 }
   */
  rateLimit?: RateLimitOverride | false | null | undefined;
  /**
   * Largest body of a request; a larger one is answered 413.
   * @default the product's value
   * @example "50MB"
   */
  bodyLimit?: Size | null | undefined;
  /**
   * By what a client is kept on one release while two have traffic: a cookie, a request header, or false for each
   * request anew. An environment's value replaces the product's as a whole.
   * @default the product's value
   * @example { cookie: "slipway" }
   */
  sticky?: StickyCookie | StickyHeader | false | null | undefined;
  /**
   * A request header or cookie by which a client chooses its side while two releases share the requests, whatever the
   * weights are: one value for the candidate, one for stable. Without it, and with any other value, the weights hold.
   * An environment's value replaces the product's as a whole.
   * @default the product's value
   * @example { header: "x-canary", candidate: "1", stable: "0" }
   */
  optIn?: OptInInput | false | null | undefined;
  /**
   * The name or address at which services reach the edge themselves, for SLIPWAY_EDGE_URL. Needed where containers run
   * on other machines than the edge and neither listen nor server says it.
   * @default the product's value
   * @example "10.0.0.9"
   */
  address?: string | null | undefined;
  /**
   * Answers every request with a maintenance page and 503.
   * @default the product's value
   * @example true
   */
  maintenance?: boolean | null | undefined;
}

/** TLS, as far as it is different here. */
export interface TlsOverride {
  /**
   * Where the edge listens for TLS.
   * @default the product's value
   * @example ":8443"
   */
  listen?: string | number | null | undefined;
  /**
   * Certificates from files.
   * @default the product's value
   * @example [{ cert: "/etc/ssl/fullchain.pem", key: "/etc/ssl/key.pem", hosts: ["example.org"] }]
   */
  certificates?: CertificateInput[] | null | undefined;
  /**
   * Certificates that the edge gets and renews by itself; false, and it gets none.
   * @default the product's value
   * @example { email: "ops@example.org" }
   */
  acme?: AcmeOverride | false | null | undefined;
  /**
   * Whether HTTP/2 is spoken.
   * @default the product's value
   * @example false
   */
  http2?: boolean | null | undefined;
}

/** ACME, as far as it is different here. */
export interface AcmeOverride {
  /**
   * Where the CA writes when something is wrong with a certificate.
   * @default the product's value
   * @example "ops@example.org"
   */
  email?: string | null | undefined;
  /**
   * The CA's ACME directory (RFC 8555).
   * @default the product's value
   * @example "https://acme-staging-v02.api.letsencrypt.org/directory"
   */
  directory?: string | null | undefined;
  /**
   * PEM file on the edge's machine with the CA that the ACME server itself is trusted by.
   * @default the product's value
   * @example "/etc/ssl/company-ca.pem"
   */
  ca?: string | null | undefined;
}

/** HSTS, as far as it is different here. */
export interface HstsOverride {
  /**
   * How long a browser remembers it after each answer. Begin with a short one; "0s" makes those forget that come by
   * https again.
   * @default the product's value
   * @example "365d"
   */
  maxAge?: Duration | null | undefined;
  /**
   * Whether it holds for every name below the host too, also those that somebody else serves.
   * @default the product's value
   * @example true
   */
  includeSubDomains?: boolean | null | undefined;
  /**
   * Allows the host to be put on the lists that browsers come with (hstspreload.org), which takes months to undo. Needs
   * includeSubDomains and a maxAge of at least 365d.
   * @default the product's value
   * @example true
   */
  preload?: boolean | null | undefined;
}

/** CORS, as far as it is different here. */
export interface CorsOverride {
  /**
   * Web origins that may ask; * is every one, without credentials.
   * @default the product's value
   * @example ["https://app.example.org"]
   */
  origins?: string[] | null | undefined;
  /**
   * Methods they may use.
   * @default the product's value
   * @example ["GET", "POST"]
   */
  methods?: ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")[] | null | undefined;
  /**
   * Request headers they may send.
   * @default the product's value
   * @example ["content-type", "x-csrf-token"]
   */
  headers?: string[] | null | undefined;
  /**
   * Whether cookies and authorization may come with the request.
   * @default the product's value
   * @example true
   */
  credentials?: boolean | null | undefined;
  /**
   * How long a browser may remember the answer to its preflight request.
   * @default the product's value
   * @example "1h"
   */
  maxAge?: Duration | null | undefined;
}

/** The limit, as far as it is different here. */
export interface RateLimitOverride {
  /**
   * Requests a client IP may make in the time of per; more are answered 429.
   * @default the product's value
   * @example 100
   */
  requests?: number | null | undefined;
  /**
   * The time the requests are counted over.
   * @default the product's value
   * @example "1m"
   */
  per?: Duration | null | undefined;
}

/** What is kept here. */
export interface RetentionOverride {
  /**
   * How many of the newest good releases are kept in each environment, the live one among them. What is warm, pinned or
   * needed to go back is kept besides.
   * @default the product's value
   * @example 10
   */
  releases?: number | null | undefined;
}

/** What is different about an accessory in one environment. Null goes back to the default. */
export interface AccessoryOverride {
  /**
   * The image, by tag or, better, by digest. A running accessory is only replaced when that is asked for.
   * @default the product's value
   * @example "redis:7.4"
   */
  image?: string | null | undefined;
  /**
   * Argument array in place of the image's own command.
   * @default the product's value
   * @example ["redis-server", "--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru"]
   */
  command?: string[] | null | undefined;
  /**
   * The port it listens on. Services of the environment reach it under its own name and this port.
   * @default the product's value
   * @example 6379
   */
  port?: number | null | undefined;
  /**
   * Variables added or changed here; null removes one.
   * @default the product's value
   * @example { POSTGRES_DB: "staging" }
   */
  env?: Record<string, string | null> | null | undefined;
  /**
   * Environment variables whose values are not in git: set them with slipway secret set.
   * @default the product's value
   * @example ["POSTGRES_PASSWORD"]
   */
  secrets?: string[] | null | undefined;
  /**
   * How one knows that it is well; false takes it as it is.
   * @default the product's value
   * @example { deadline: "5m" }
   */
  health?: AccessoryHealthOverride | false | null | undefined;
  /**
   * What outlives a container: a volume of the environment, or a directory of the host. A service that has one cannot
   * run beside its successor: it is stopped first, and plan says so.
   * @default the product's value
   * @example ["uploads:/app/uploads", "/etc/ssl/company:/certs:ro"]
   */
  volumes?: string[] | null | undefined;
  /**
   * Ports of the host that lead to the container, past the edge. A service that has one cannot run beside its
   * successor: it is stopped first.
   * @default the product's value
   * @example ["8125:8125"]
   */
  hostPorts?: string[] | null | undefined;
  /**
   * Memory it may use.
   * @default the product's value
   * @example "512MB"
   */
  memory?: Size | null | undefined;
  /**
   * Share of one core it may use; 0.5 is half a core.
   * @default the product's value
   * @example 0.5
   */
  cpu?: number | null | undefined;
  /**
   * Time between SIGTERM and SIGKILL when it is stopped.
   * @default the product's value
   * @example "2m"
   */
  stopGrace?: Duration | null | undefined;
}

/** How one knows that it is well. */
export interface AccessoryHealthOverride {
  /**
   * Argument array that is run in its container; exit code 0 says that it is well.
   * @default the product's value
   * @example ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"]
   */
  command?: string[] | null | undefined;
  /**
   * Time from one look to the next.
   * @default the product's value
   * @example "2s"
   */
  interval?: Duration | null | undefined;
  /**
   * A connection or a command that takes longer has failed.
   * @default the product's value
   * @example "10s"
   */
  timeout?: Duration | null | undefined;
  /**
   * It must be well by then, or the deployment fails before any service has started.
   * @default the product's value
   * @example "5m"
   */
  deadline?: Duration | null | undefined;
}

/** The registry, as far as it is different here. */
export interface RegistryOverride {
  /**
   * Where images are pushed to and pulled from; each service has its own below it.
   * @default the product's value
   * @example "ghcr.io/acme/shop"
   */
  repository?: string | null | undefined;
  /**
   * Who logs in.
   * @default the product's value
   * @example "deploy-bot"
   */
  user?: string | null | undefined;
  /**
   * The variable of the control plane's environment that holds the password or token.
   * @default the product's value
   * @example "REGISTRY_TOKEN"
   */
  passwordFrom?: string | null | undefined;
  /**
   * Argument array that prints the password, for a registry whose passwords end (ECR's after 12 hours). The control
   * plane runs it, in its own environment, when it needs the password: at most every ten minutes, and when the registry
   * refuses the last one. It is given 30 seconds, and prints one line. In place of passwordFrom.
   * @default the product's value
   * @example ["aws", "ecr", "get-login-password", "--region", "eu-central-1"]
   */
  passwordCommand?: string[] | null | undefined;
  /**
   * What stays in the registry of this environment.
   * @default the product's value
   * @example { images: 100 }
   */
  retention?: RegistryRetentionOverride | null | undefined;
}

/** What stays there. */
export interface RegistryRetentionOverride {
  /**
   * So many of the newest images of each service stay, whatever their age.
   * @default the product's value
   * @example 50
   */
  images?: number | null | undefined;
  /**
   * Younger images stay, however many there are.
   * @default the product's value
   * @example "90d"
   */
  age?: Duration | null | undefined;
}

/** Where it runs here. */
export interface TargetOverride {
  /**
   * Where revisions live: process runs them as supervised processes of this machine, docker as containers of one or
   * more engines, compose does the same with the services of a Compose file.
   * @default the product's value
   * @example "docker"
   */
  driver?: "process" | "docker" | "compose" | null | undefined;
  /**
   * For docker and compose: the engines, over a socket, SSH or TLS. Instances are spread over them. SSH is the system's
   * own, so ~/.ssh/config, agents and jump hosts work; host keys are checked.
   * @default the product's value
   * @example ["ssh://deploy@vm1", { url: "ssh://deploy@vm2", address: "10.0.0.5" }]
   */
  hosts?: (string | HostInput)[] | null | undefined;
  /**
   * For docker and compose: the engine that builds images.
   * @default the product's value
   * @example "ssh://build@builder1"
   */
  builder?: string | null | undefined;
  /**
   * For docker and compose, when a host does not answer while something is deployed: stop and take nothing on anywhere,
   * wait for it (`waitAtMost`), or skip it and say so. What a skipped host still runs of an older release is stopped
   * when it is back; new instances it gets with the next deployment.
   * @default the product's value
   * @example "wait"
   */
  whenAway?: "stop" | "wait" | "skip" | null | undefined;
  /**
   * For docker and compose with `whenAway: "wait"`: how long a host is waited for. After that the deployment fails.
   * @default the product's value
   * @example "1h"
   */
  waitAtMost?: Duration | null | undefined;
  /**
   * For docker and compose with several hosts, about the instances of a host that does not answer for `lostAfter`: wait
   * for it, or replace them on the others. Never what writes a volume, nor accessories, nor while a deployment is under
   * way, nor when most hosts are away.
   * @default the product's value
   * @example "replace"
   */
  whenLost?: "wait" | "replace" | null | undefined;
  /**
   * For docker and compose: how long a host does not answer before its instances are replaced, if they are. What is cut
   * off from here may go on working there, so it should be longer than what a network or a reboot takes.
   * @default the product's value
   * @example "10m"
   */
  lostAfter?: Duration | null | undefined;
  /**
   * For compose: the Compose file, or several that are laid over each other, from this config's directory. Read from
   * the commit that is released.
   * @default the product's value
   * @example ["docker-compose.yml", "docker-compose.prod.yml"]
   */
  file?: string | string[] | null | undefined;
  /**
   * For compose: the name of the Compose project, which is part of the names of its volumes, networks and containers.
   * What docker compose runs under this name is taken over.
   * @default the product's value
   * @example "shop"
   */
  project?: string | null | undefined;
  /**
   * For compose: the profiles that are switched on.
   * @default the product's value
   * @example ["prod"]
   */
  profiles?: string[] | null | undefined;
  /**
   * For compose: files with variables for the Compose file, instead of .env beside it. One that is not in git is read
   * beside this config when a release is made, and its values are kept sealed.
   * @default the product's value
   * @example ".env.production"
   */
  envFile?: string | string[] | null | undefined;
  /**
   * For compose: variables for the Compose file, over those of envFile. Not for secrets: this file is in git.
   * @default the product's value
   * @example { TAG: "1.4" }
   */
  variables?: Record<string, string> | null | undefined;
  /**
   * For compose: variables for the Compose file that are taken from the environment of the control plane when a release
   * is made. Their values are kept sealed.
   * @default the product's value
   * @example ["POSTGRES_PASSWORD"]
   */
  variablesFrom?: string[] | null | undefined;
}
