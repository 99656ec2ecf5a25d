import type { ScheduleRule } from "../triggers/settings.ts";
import { type ArtifactName, type SynthFile, textFile } from "./artifact.ts";
import { stepCommand } from "./integration.ts";
import { jenkinsParameters } from "./parameters.ts";
import { fromTop, type SynthProduct, type SynthStep } from "./product.ts";
import { deployScript, noticeScript } from "./scripts.ts";
import type { SynthDeploy } from "./settings.ts";
import { matrixOf } from "./steps.ts";

/** How long somebody may take to say yes; then the build is called off. */
const approvalDays = 7;
const checksHours = 3;

/** A declarative Jenkinsfile that holds stages and credentials; what is done is in `scripts/ci`. No agent waits while a person is asked. */
export function jenkinsFiles(product: SynthProduct, selected: readonly ArtifactName[]): readonly SynthFile[] {
  return [
    textFile({ artifact: "jenkins", path: "Jenkinsfile", comment: "//", text: `${pipelineText(product, selected)}\n` }),
  ];
}

function pipelineText(product: SynthProduct, selected: readonly ArtifactName[]): string {
  const { settings } = product;
  const stages = [
    ...(product.steps.length > 0 ? [checksStage(product, selected)] : []),
    ...settings.deploys.flatMap((deploy) => deployStages(deploy, product)),
  ];
  return block("pipeline", [
    "agent none",
    block("options", [
      "disableConcurrentBuilds()",
      "skipDefaultCheckout()",
      "buildDiscarder(logRotator(numToKeepStr: '50'))",
    ]),
    ...(product.parameters.length === 0 ? [] : [block("parameters", jenkinsParameters(product.parameters, text))]),
    ...clockOf(settings),
    block("stages", stages),
    ...postOf(product),
  ]);
}

/** Jenkins has one time zone a job: those of the first one's. */
export function jenkinsSchedules({ schedules }: SynthProduct["settings"]): readonly ScheduleRule[] {
  return schedules.filter(({ timeZone }) => timeZone === schedules[0]?.timeZone);
}

/** Only in the branch that they are of: each branch of a multibranch job reads its own Jenkinsfile. */
function clockOf(settings: SynthProduct["settings"]): readonly string[] {
  const clocks = jenkinsSchedules(settings);
  const [first] = clocks;
  if (first === undefined) return [];
  const lines = [`TZ=${first.timeZone}`, ...clocks.map(({ cron }) => cron)];
  return [block("triggers", [`cron(env.BRANCH_NAME == ${text(first.branch)} ? ${text(lines.join("\n"))} : '')`])];
}

function checksStage(product: SynthProduct, selected: readonly ArtifactName[]): string {
  const reports = product.steps.flatMap(({ step, directory }) =>
    step.reports.junit.map((path) => fromTop(product, directory === "." ? path : `${directory}/${path}`)),
  );
  return block("stage('Checks')", [
    `agent ${agentOf(null)}`,
    block("options", [`timeout(time: ${checksHours}, unit: 'HOURS')`]),
    block("environment", [
      `SLIPWAY_EVENT = "\${env.CHANGE_ID ? 'pull-request' : env.TAG_NAME ? 'tag' : ${byClock(product.settings)}'push'}"`,
    ]),
    block("stages", [
      block("stage('checkout')", [block("steps", ["checkout scm"])]),
      ...product.steps.map((step) => stepStage(step, product, selected)),
    ]),
    ...(reports.length === 0
      ? []
      : [
          block("post", [
            block(
              "always",
              [...new Set(reports)].map((path) => `junit allowEmptyResults: true, testResults: ${text(path)}`),
            ),
          ]),
        ]),
  ]);
}

function stepStage(synth: SynthStep, product: SynthProduct, selected: readonly ArtifactName[]): string {
  const { step } = synth;
  const matrix = Object.entries(matrixOf(synth, product));
  const minutes = Math.max(1, Math.ceil((step.timeoutMs * step.attempts) / 60_000));
  const run = withCredentials(step.secrets, [`sh ${text(stepCommand(synth, product, selected))}`]);
  const inVariables =
    matrix.length === 0
      ? run
      : [block(`withEnv([${matrix.map(([name, value]) => text(`${name}=${unexpanded(value)}`)).join(", ")}])`, run)];
  const allowed = step.allowFailure
    ? [block("catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE')", inVariables)]
    : inVariables;
  return block(`stage(${text(step.id)})`, [
    block("options", [`timeout(time: ${minutes}, unit: 'MINUTES')`]),
    block("steps", allowed),
  ]);
}

/** Asked first, where the config asks for people: without an agent, so that nothing waits but the build. */
function deployStages(deploy: SynthDeploy, product: SynthProduct): readonly string[] {
  const { environment, from, approval, approvers } = deploy;
  const only = block("when", [
    "beforeAgent true",
    `expression { ${isMeant(deploy, jenkinsSchedules(product.settings))} }`,
  ]);
  const submitter = approvers.length === 0 ? "" : `, submitter: ${text(approvers.join(","))}`;
  const asked = block(`stage(${text(`Approve ${environment}`)})`, [
    only,
    block("options", [`timeout(time: ${approvalDays}, unit: 'DAYS')`]),
    block("steps", [
      `input message: ${text(`Take ${product.name} to ${environment}?`)}, ok: ${text("Yes")}${submitter}`,
    ]),
  ]);
  const command = [fromTop(product, deployScript), environment, ...(from === null ? [] : [from])].join(" ");
  return [
    ...(approval ? [asked] : []),
    block(`stage(${text(from === null ? `Deploy to ${environment}` : `Promote to ${environment}`)})`, [
      only,
      `agent ${agentOf(product.settings.deployRunner)}`,
      block("steps", [
        "checkout scm",
        // By the shell, to which Jenkins has given it: what Groovy puts into an environment is expanded.
        `sh ${text(`SLIPWAY_REASON="Jenkins, $BUILD_TAG" ${command}`)}`,
      ]),
    ]),
  ];
}

/** Whether it is the clock that has begun the build; nothing where there is none. */
const isByClock = "currentBuild.getBuildCauses('hudson.triggers.TimerTrigger$TimerTriggerCause')";

function byClock({ schedules }: SynthProduct["settings"]): string {
  return schedules.length === 0 ? "" : `${isByClock} ? 'schedule' : `;
}

/** Groovy's own: a pattern as a shell has it, put to the branch or the tag. */
function isMeant({ environment, branches, tags }: SynthDeploy, clocks: readonly ScheduleRule[]): string {
  const tests = [
    ...branches.map((pattern) => matchOf("env.BRANCH_NAME", pattern, " && !env.CHANGE_ID && !env.TAG_NAME")),
    ...tags.map((pattern) => matchOf("env.TAG_NAME", pattern, "")),
  ];
  const pushed = tests.join(" || ");
  if (clocks.length === 0) return pushed;
  // Not as a push of the same branch would be; and a build does not know which of several clocks has begun it.
  const deploys = clocks.every(({ deploy }) => deploy === environment);
  return deploys ? `${isByClock} || ${pushed}` : `!${isByClock} && (${pushed})`;
}

function matchOf(variable: string, pattern: string, more: string): string {
  const test = pattern.includes("*")
    ? `(${variable} ?: '') ==~ ${text(`(?s)${pattern.split("*").map(regexText).join(".*")}`)}`
    : `${variable} == ${text(pattern)}`;
  return more === "" ? test : `(${test}${more})`;
}

const regexText = (plain: string): string => plain.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

function postOf(product: SynthProduct): readonly string[] {
  const { name, settings } = product;
  const { deployRunner } = settings;
  const { slack, monday } = settings.notices;
  const names = [slack, monday?.tokenFrom].filter((each) => each !== null && each !== undefined);
  if (names.length === 0) return [];
  const tell = (what: string): string =>
    block(`node(${text(deployRunner)})`, [
      "checkout scm",
      ...withCredentials(names, [
        `sh ${text(`${fromTop(product, noticeScript)} "${what}: $JOB_NAME $BUILD_DISPLAY_NAME $BUILD_URL"`)}`,
      ]),
    ]);
  return [
    block("post", [
      block("failure", [tell(`${plainWord(name)} failed`)]),
      block("fixed", [tell(`${plainWord(name)} is well again`)]),
    ]),
  ];
}

const plainWord = (name: string): string => name.replaceAll(/[^\w.-]/g, "-");

/**
 * Jenkins puts other variables in for `$NAME` and `${NAME}` in what `withEnv` and `environment` are given, and takes `$$` for the sign itself
 * (`EnvVars.overrideExpandingAll`, https://javadoc.jenkins.io/hudson/EnvVars.html, 2026-11-27).
 */
const unexpanded = (value: string): string => value.replaceAll("$", "$$$$");

/** From Jenkins' credentials store, by their name: texts of the kind "Secret text". */
function withCredentials(names: readonly string[], inner: readonly string[]): readonly string[] {
  if (names.length === 0) return inner;
  const bindings = names.map((name) => `string(credentialsId: ${text(name)}, variable: ${text(name)})`);
  return [block(`withCredentials([${bindings.join(", ")}])`, inner)];
}

function agentOf(label: string | null): string {
  return label === null ? "any" : `{ label ${text(label)} }`;
}

/** In single quotes Groovy puts nothing in. */
function text(value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `'${escaped}'`;
}

function block(head: string, lines: readonly string[]): string {
  const inner = lines.flatMap((line) => line.split("\n")).map((line) => (line === "" ? "" : `  ${line}`));
  return [`${head} {`, ...inner, "}"].join("\n");
}
