import type { ScheduleRule } from "../triggers/settings.ts";
import { type ArtifactName, type SynthFile, textFile } from "./artifact.ts";
import { stepCommand } from "./integration.ts";
import { dispatchInputs, dispatchVariables } from "./parameters.ts";
import { type Pin, pins } from "./pins.ts";
import { fromTop, type SynthProduct, type SynthStep } from "./product.ts";
import { deployScript, noticeScript } from "./scripts.ts";
import type { SynthDeploy } from "./settings.ts";
import { matrixOf } from "./steps.ts";
import { Commented, type Yaml, yamlText } from "./yaml.ts";

type YamlMap = { readonly [key: string]: Yaml | undefined };

/** Longest that a job may take, where its steps do not say: GitHub's own is six hours. */
const checkoutMinutes = 10;
/** A deployment waits for its bake, and at the gates of Slipway; GitHub ends jobs of own runners after five days. */
const deployMinutes = 180;

/**
 * The workflow: checks on a machine of GitHub for pushes and pull requests, then deployments on the runner beside the control
 * plane, or from a job that proves itself with its ID token: neither asks for a key. Nothing that an event says reaches a shell but through a variable.
 */
export function githubFiles(product: SynthProduct, selected: readonly ArtifactName[]): readonly SynthFile[] {
  const path = product.prefix === "." ? "slipway" : `slipway-${product.name}`;
  return [
    textFile({
      artifact: "github",
      base: "repository",
      path: `.github/workflows/${path}.yml`,
      text: yamlText(workflow(product, selected)),
    }),
  ];
}

function workflow(product: SynthProduct, selected: readonly ArtifactName[]): YamlMap {
  const { settings } = product;
  const deploys = settings.deploys.map((deploy) => [
    `deploy-${jobId(deploy.environment)}`,
    deployJob(deploy, product, selected),
  ]);
  return {
    name: product.name,
    on: {
      push: {
        branches: settings.branches.map(refFilter),
        ...(settings.tags.length > 0 && { tags: settings.tags.map(refFilter) }),
      },
      pull_request: {},
      ...(settings.schedules.length > 0 && { schedule: clocksOf(settings.schedules) }),
      workflow_dispatch: product.parameters.length === 0 ? {} : { inputs: dispatchInputs(product.parameters) },
    },
    permissions: {},
    concurrency: {
      group: `checks-${expression("github.workflow")}-${expression("github.ref")}`,
      "cancel-in-progress": expression("github.event_name == 'pull_request'"),
    },
    jobs: {
      ...(product.steps.length > 0 && { checks: checksJob(product, selected) }),
      ...Object.fromEntries(deploys),
    },
  };
}

function checksJob(product: SynthProduct, selected: readonly ArtifactName[]): YamlMap {
  const minutes = product.steps.reduce((sum, { step }) => sum + minutesOf(step), checkoutMinutes);
  return {
    "runs-on": runsOn(product.settings.runner),
    "timeout-minutes": Math.min(minutes, 360),
    permissions: { contents: "read" },
    env: {
      SLIPWAY_BRANCH: expression("github.head_ref || (github.ref_type == 'branch' && github.ref_name) || ''"),
      SLIPWAY_EVENT: expression(
        "github.event_name == 'pull_request' && 'pull-request' || github.event_name == 'workflow_dispatch' && 'manual' || github.ref_type == 'tag' && 'tag' || github.event_name",
      ),
      ...dispatchVariables(product.parameters),
    },
    steps: [
      checkout({ "persist-credentials": false }),
      ...setup(product),
      ...product.steps.map((step) => runStep(step, product, selected)),
      ...reports(product),
      ...(product.settings.deploys.length === 0 ? notices(product) : []),
    ],
  };
}

function runStep(synth: SynthStep, product: SynthProduct, selected: readonly ArtifactName[]): YamlMap {
  const { step } = synth;
  const env = {
    ...matrixOf(synth, product),
    ...Object.fromEntries(step.secrets.map((name) => [name, secret(name)])),
  };
  return {
    name: step.id,
    run: stepCommand(synth, product, selected),
    "timeout-minutes": minutesOf(step),
    ...(step.allowFailure && { "continue-on-error": true }),
    ...(Object.keys(env).length > 0 && { env }),
  };
}

function deployJob(deploy: SynthDeploy, product: SynthProduct, selected: readonly ArtifactName[]): YamlMap {
  const { environment, from, url } = deploy;
  const before = from === null ? (product.steps.length > 0 ? "checks" : undefined) : `deploy-${jobId(from)}`;
  // What is promoted has had its run.
  const given = from === null ? dispatchVariables(product.parameters) : {};
  return {
    ...(before !== undefined && { needs: before }),
    if: onlyFor(deploy),
    "runs-on": url === null ? ["self-hosted", product.settings.deployRunner] : runsOn(product.settings.runner),
    "timeout-minutes": deployMinutes,
    // The protection rules of this environment at GitHub hold before the job begins; gates of Slipway hold after.
    environment,
    concurrency: { group: `deploy-${product.name}-${environment}`, "cancel-in-progress": false },
    // No key is kept at GitHub: the job is believed for where it runs, or for what GitHub signs of it.
    permissions: { contents: "read", ...(url !== null && { "id-token": "write" }) },
    env:
      url === null
        ? {
            SLIPWAY_STATE_DIR: expression("vars.SLIPWAY_STATE_DIR"),
            SLIPWAY_COMMIT: expression("github.sha"),
            SLIPWAY_REASON: `GitHub Actions, run ${expression("github.run_id")} of ${expression("github.actor")}`,
            ...given,
          }
        : { SLIPWAY_URL: url, ...given },
    steps: [
      // With the history: the change log of a release is made of it, where it is made of this checkout.
      checkout({ "persist-credentials": false, ...(url === null && { "fetch-depth": 0 }) }),
      ...(url === null ? [] : [...setup(product), ...installs(product, selected)]),
      {
        name: from === null ? `Deploy to ${environment}` : `Promote from ${from} to ${environment}`,
        run: [fromTop(product, deployScript), environment, ...(from === null ? [] : [from])].join(" "),
      },
      ...notices(product, environment),
    ],
  };
}

/** What brings the command line, as the lock file pins it. */
function installs(product: SynthProduct, selected: readonly ArtifactName[]): readonly YamlMap[] {
  return product.steps
    .filter(({ step, directory }) => step.id === "install" && directory === ".")
    .map((step) => runStep(step, product, selected));
}

/** Who is told: once, by the job that knows how it ended. */
function notices(product: SynthProduct, environment?: string): readonly YamlMap[] {
  const { slack, monday } = product.settings.notices;
  const names = [slack, monday?.tokenFrom].filter((name) => name !== null && name !== undefined);
  if (names.length === 0) return [];
  const what = environment === undefined ? "the checks of" : `${environment},`;
  return [
    {
      name: "Tell people",
      if:
        environment === undefined
          ? expression("failure() && (github.event_name == 'push' || github.event_name == 'schedule')")
          : expression("!cancelled()"),
      run: `${fromTop(product, noticeScript)} "${what} $GITHUB_REF_NAME $GITHUB_SHA: $OUTCOME $RUN_URL"`,
      env: {
        ...Object.fromEntries(names.map((name) => [name, secret(name)])),
        OUTCOME: expression("job.status"),
        RUN_URL: `${expression("github.server_url")}/${expression("github.repository")}/actions/runs/${expression("github.run_id")}`,
      },
    },
  ];
}

function setup({ node, python }: SynthProduct): readonly YamlMap[] {
  return [
    ...(node === null
      ? []
      : [{ uses: pinned(pins.setupNode), with: { "node-version": node, "package-manager-cache": false } }]),
    ...(python === null ? [] : [{ uses: pinned(pins.setupPython), with: { "python-version": python } }]),
  ];
}

function reports(product: SynthProduct): readonly YamlMap[] {
  const paths = product.steps.flatMap(({ step, directory }) =>
    [...step.reports.junit, ...step.reports.coverage, ...step.reports.sarif, ...step.reports.scan].map((path) =>
      fromTop(product, directory === "." ? path : `${directory}/${path}`),
    ),
  );
  if (paths.length === 0) return [];
  return [
    {
      name: "Keep the reports",
      if: expression("!cancelled()"),
      uses: pinned(pins.uploadArtifact),
      with: { name: "reports", path: [...new Set(paths)].join("\n"), "if-no-files-found": "ignore" },
    },
  ];
}

function checkout(options: YamlMap): YamlMap {
  return { uses: pinned(pins.checkout), with: options };
}

const pinned = ({ action, commit, version }: Pin): Commented => new Commented(`${action}@${commit}`, version);
const secret = (name: string): string => expression(`secrets.${name}`);
const expression = (text: string): string => `\${{ ${text} }}`;
const minutesOf = ({ timeoutMs, attempts }: SynthStep["step"]): number =>
  Math.max(1, Math.ceil((timeoutMs * attempts) / 60_000));
const jobId = (environment: string): string => environment.replaceAll(/[^A-Za-z0-9_-]/g, "-");

/** Machines of GitHub are named by their system; all else is one of the team's. */
function runsOn(runner: string): Yaml {
  return /^(?:ubuntu|windows|macos)-/.test(runner) ? runner : ["self-hosted", runner];
}

/** In our patterns `*` is any text, in GitHub's filters that is `**`; its other signs are escaped. */
export function refFilter(pattern: string): string {
  return pattern.replaceAll(/[\\?+[\]!]/g, "\\$&").replaceAll(/\*+/g, "**");
}

/** Pushes only: what a pull request brings is never deployed. */
/** Each time once: two schedules of the same one are one here. In UTC nothing is said of a time zone. */
function clocksOf(schedules: readonly ScheduleRule[]): readonly YamlMap[] {
  const clocks = schedules.map(({ cron, timeZone }) => ({ cron, ...(timeZone !== "UTC" && { timezone: timeZone }) }));
  return [...new Map(clocks.map((clock) => [JSON.stringify(clock), clock])).values()];
}

function onlyFor({ branches, tags, schedules }: Pick<SynthDeploy, "branches" | "tags" | "schedules">): string {
  const any = [
    ...branches.map((pattern) => refCondition("refs/heads/", pattern)),
    ...tags.map((pattern) => refCondition("refs/tags/", pattern)),
  ].join(" || ");
  const pushed = `(github.event_name == 'push' || github.event_name == 'workflow_dispatch') && (${any})`;
  const clocks = [...new Set(schedules.map(({ cron }) => cron))].map(
    (cron) => `github.event.schedule == ${quoted(cron)}`,
  );
  return expression(clocks.length === 0 ? pushed : `(${pushed}) || ${clocks.join(" || ")}`);
}

/** Expressions know no patterns: one `*` is a beginning and an end; with more of them, the beginning and the end are looked at. */
function refCondition(space: string, pattern: string): string {
  const whole = space + pattern;
  const first = whole.indexOf("*");
  if (first === -1) return `github.ref == ${quoted(whole)}`;
  const end = whole.slice(whole.lastIndexOf("*") + 1);
  const parts = [`startsWith(github.ref, ${quoted(whole.slice(0, first))})`];
  if (end !== "") parts.push(`endsWith(github.ref, ${quoted(end)})`);
  return parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(" && ")})`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
