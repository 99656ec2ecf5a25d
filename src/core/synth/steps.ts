import { parameterVariable } from "../pipeline/parameter.ts";
import type { StepCompose } from "../pipeline/step.ts";
import { shellWord } from "../server/shell.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import { parameterLines } from "./parameters.ts";
import type { SynthProduct, SynthStep } from "./product.ts";

/** Where the script of a step is: `scripts/ci/steps/api/unit.sh`. One for all combinations of a matrix, which are in its environment. */
export const stepScript = ({ step }: SynthStep): string => `scripts/ci/steps/${step.name}.sh`;

/** Steps as people know them: combinations of a matrix are one. */
export function namedSteps({ steps }: Pick<SynthProduct, "steps">): readonly SynthStep[] {
  return steps.filter(({ step }, index) => steps.findIndex((other) => other.step.name === step.name) === index);
}

/** Variables of one combination: those that its siblings have otherwise. */
export function matrixOf(
  { step }: SynthStep,
  { steps }: Pick<SynthProduct, "steps">,
): Readonly<Record<string, string>> {
  const siblings = steps.filter((other) => other.step.name === step.name);
  if (siblings.length === 1) return {};
  return Object.fromEntries(
    Object.entries(step.env).filter(([name, value]) => siblings.some((other) => other.step.env[name] !== value)),
  );
}

/** One script a step, that runs what the pipeline runs: the same commands, variables, branches and attempts. */
export function stepScripts(product: SynthProduct): readonly SynthFile[] {
  return namedSteps(product).map((step) =>
    textFile({
      artifact: "scripts",
      path: stepScript(step),
      text: `${scriptText(step, product)}\n`,
      executable: true,
    }),
  );
}

function scriptText(synth: SynthStep, product: SynthProduct): string {
  const { step, directory } = synth;
  const up = "../".repeat(stepScript(synth).split("/").length - 1).slice(0, -1);
  const matrix = matrixOf(synth, product);
  return [
    "#!/bin/sh",
    `# The step ${step.name} of the pipeline of ${product.name}.`,
    ...(step.secrets.length > 0 ? [`# Needs the secrets ${step.secrets.join(", ")} in its environment.`] : []),
    ...(step.when.paths === null
      ? []
      : [`# Slipway leaves it out where nothing has changed in ${step.when.paths.join(", ")}; here it always runs.`]),
    ...(step.scan === null
      ? []
      : ["# Slipway judges what it finds, with its waivers; here the tool's own exit code does."]),
    "# shellcheck disable=SC2016",
    "# (What stands in single quotes is meant as it is.)",
    "set -eu",
    `cd "$(dirname "$0")/${up}"`,
    ...whenLines(synth),
    ...parameterLines(product.parameters),
    // What the step before has installed is found as Slipway's own steps find it.
    ...(directory === "." || step.container !== null ? [] : [`cd ${shellWord(directory)}`]),
    ...Object.entries(step.env)
      .filter(([name]) => matrix[name] === undefined)
      .map(([name, value]) => `export ${name}=${shellWord(value)}`),
    ...Object.keys(matrix).map((name) => `: "\${${name}:?is what the combination has}"`),
    ...step.secrets.map((name) => `: "\${${name}:?is a secret of this step}"`),
    ...commandLines(synth, product),
  ].join("\n");
}

function whenLines({ step: { name, when } }: SynthStep): readonly string[] {
  const left = (why: string): string => `echo ${shellWord(`${name} is left out: ${why}`)}; exit 0`;
  const lines: string[] = [];
  if (when.event !== null)
    lines.push(
      `case "\${SLIPWAY_EVENT:-manual}" in ${when.event.map(shellWord).join(" | ")}) ;; *) ${left(`only for ${when.event.join(", ")}`)} ;; esac`,
    );
  if (when.branch !== null)
    lines.push(
      // Jenkins itself gives a multibranch job the other two, to the shell; of no branch, what is for one is left out.
      `case "\${SLIPWAY_BRANCH-\${CHANGE_BRANCH:-\${BRANCH_NAME:-}}}" in ${when.branch.map(shellPattern).join(" | ")}) ;; *) ${left(`only on ${when.branch.join(", ")}`)} ;; esac`,
    );
  return lines;
}

/** A pattern of `case` in which only `*` is a sign, as in the config. */
export function shellPattern(pattern: string): string {
  return pattern
    .split("*")
    .map((part) => (part === "" ? "" : shellWord(part)))
    .join("*");
}

function commandLines(synth: SynthStep, product: SynthProduct): readonly string[] {
  const { step, commands } = synth;
  const compose = step.container?.compose;
  if (compose !== undefined)
    return [...stackLines(synth, compose), ...attemptLines(synth, [stackCommand(synth, compose, product)])];
  const lines = commands.map((command) =>
    [...containerWords(synth, product), ...command.map(shellWord).map(bare)].join(" "),
  );
  return lines.length === 0 ? [": nothing to run"] : attemptLines(synth, lines);
}

/** Services of a Compose file to throw away: they go whatever happens, and their logs are shown when it failed. */
function stackLines({ step, directory }: SynthStep, { files, profiles }: StepCompose): readonly string[] {
  const paths = files.map((each) => (directory === "." ? each : `${directory}/${each}`));
  const words = [...profiles.flatMap((each) => ["--profile", each]), ...paths.flatMap((each) => ["--file", each])];
  return [
    `project="${step.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}-$$"`,
    `compose() { docker compose --project-name "$project" ${words.map(shellWord).map(bare).join(" ")} "$@"; }`,
    "finish() {",
    "  code=$?",
    "  trap - EXIT",
    '  [ "$code" -eq 0 ] || compose logs --no-color >&2 || true',
    "  compose down --volumes --remove-orphans --timeout 5 || true",
    '  exit "$code"',
    "}",
    "trap finish EXIT",
    "trap 'exit 130' INT",
    "trap 'exit 143' TERM",
  ];
}

function stackCommand(synth: SynthStep, { service }: StepCompose, product: SynthProduct): string {
  if (service !== null) {
    const name = bare(shellWord(service));
    return `{ compose up --build --quiet-pull --exit-code-from ${name} ${name}; }`;
  }
  const own = synth.commands.map((command) =>
    [...containerWords(synth, product), ...command.map(shellWord).map(bare)].join(" "),
  );
  return `{ compose up --build --quiet-pull --detach --wait && NETWORK="\${project}_default" && ${own.join(" && ")}; }`;
}

function attemptLines({ step }: SynthStep, lines: readonly string[]): readonly string[] {
  if (step.attempts === 1) return lines;
  // Within a condition `set -e` does not hold: the commands are joined.
  return [
    "attempt() {",
    `  ${lines.join(" &&\n    ")}`,
    "}",
    `# Tried ${step.attempts} times in all${step.retryReason === null ? "" : `: ${step.retryReason.replaceAll(/\s+/g, " ")}`}.`,
    `left=${step.attempts - 1} wait=${Math.max(1, Math.round(step.retryWaitMs / 1000))}`,
    "until attempt; do",
    `  [ "$left" -gt 0 ] || { echo ${shellWord(`${step.name} has failed ${step.attempts} times`)} >&2; exit 1; }`,
    `  echo "it failed; again in $wait s" >&2`,
    `  sleep "$wait"`,
    "  left=$((left - 1)) wait=$((wait * 2))",
    "done",
  ];
}

/** What runs a command in the step's container, with the checkout in it; beside its accessories, where integration.sh has said which network. */
function containerWords({ step, directory }: SynthStep, { parameters }: SynthProduct): readonly string[] {
  const { container } = step;
  if (container === null) return [];
  const names = [...Object.keys(step.env), ...step.secrets, ...parameters.map(parameterVariable), "CI"];
  return [
    'docker run --rm --init --user "$(id -u):$(id -g)" --volume "$PWD:/workspace" --env HOME=/tmp',
    `--workdir ${shellWord(directory === "." ? "/workspace" : `/workspace/${directory}`)}`,
    container.network === "none" ? "--network none" : `\${NETWORK:+"--network=$NETWORK"}`,
    `--memory ${container.memoryBytes}`,
    ...(container.cpus === null ? [] : [`--cpus ${container.cpus}`]),
    ...names.map((name) => `--env ${name}`),
    ...(container.image === null ? [] : [bare(shellWord(container.image))]),
  ];
}

/** A word that needs no quotes is read more easily without. */
function bare(word: string): string {
  const inner = word.slice(1, -1);
  return /^[\w./@%+,-]+$/.test(inner) && !inner.startsWith("-=") ? inner : word;
}
