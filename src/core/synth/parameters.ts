import { kindText, type Parameter, type ParameterKind, parameterVariable } from "../pipeline/parameter.ts";
import { shellWord } from "../server/shell.ts";
import type { Yaml } from "./yaml.ts";

/** What a script does first: what nobody has said is the default, and what is not allowed ends it. A value is never a part of the script. */
export function parameterLines(parameters: readonly Parameter[]): readonly string[] {
  return parameters.flatMap((parameter) => {
    const variable = parameterVariable(parameter);
    const { name, default: value, kind } = parameter;
    const test = testOf(kind, variable);
    return [
      value === null
        ? `export ${variable}="\${${variable}:?is the parameter ${name} of this run}"`
        : `if [ -n "\${${variable}:-}" ]; then export ${variable}; else export ${variable}=${shellWord(value)}; fi`,
      ...(test === null
        ? []
        : [`${test} || { echo ${shellWord(`${variable} must be ${kindText(kind)}`)} >&2; exit 2; }`]),
    ];
  });
}

/** What somebody has said that is not the default, for the run that Slipway makes of it: it looks at the values. */
export function givenLines(parameters: readonly Parameter[]): readonly string[] {
  return parameters.map((parameter) => {
    const variable = parameterVariable(parameter);
    const { name, default: value } = parameter;
    const usual = ["''", ...(value === null || value === "" ? [] : [shellWord(value)])].join(" | ");
    return `case "\${${variable}:-}" in ${usual}) ;; *) set -- "$@" --param "${name}=$${variable}" ;; esac`;
  });
}

/** A command that fails when the variable is no such value; null: anything is one. */
function testOf(kind: ParameterKind, variable: string): string | null {
  const values = kind.is === "boolean" ? ["true", "false"] : kind.allowed?.map(String);
  if (values !== undefined) return `case "$${variable}" in ${values.map(shellWord).join(" | ")}) ;; *) false ;; esac`;
  if (kind.is !== "number") return null;
  const { whole, min, max } = kind;
  const tests = [
    `v ~ /^-?[0-9]+(\\.${whole ? "0" : "[0-9]"}+)?$/`,
    ...(min === null ? [] : [`v + 0 >= ${min}`]),
    ...(max === null ? [] : [`v + 0 <= ${max}`]),
  ];
  return `awk 'BEGIN { v = ENVIRON["${variable}"]; exit !(${tests.join(" && ")}) }'`;
}

/** `workflow_dispatch.inputs`: GitHub asks for them, with its own types, when somebody begins a run by hand. */
export function dispatchInputs(parameters: readonly Parameter[]): { readonly [name: string]: Yaml } {
  return Object.fromEntries(parameters.map((parameter) => [parameter.name, dispatchInput(parameter)]));
}

function dispatchInput({ meaning, default: value, kind }: Parameter): Yaml {
  const asked = { ...(meaning !== null && { description: meaning }), required: value === null };
  if (kind.is === "boolean") return { ...asked, type: "boolean", ...(value !== null && { default: value === "true" }) };
  if (kind.allowed !== null)
    return {
      ...asked,
      type: "choice",
      ...(value !== null && { default: value }),
      options: kind.allowed.map(String),
    };
  if (kind.is === "number") return { ...asked, type: "number", ...(value !== null && { default: Number(value) }) };
  return { ...asked, type: "string", ...(value !== null && { default: value }) };
}

/** On other events than by hand they are empty, and the scripts take the defaults. */
export function dispatchVariables(parameters: readonly Parameter[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parameters.map((parameter) => [parameterVariable(parameter), `\${{ inputs.${parameter.name} }}`]),
  );
}

/**
 * Lines of `parameters` in a Jenkinsfile. They are called as the variables are: Jenkins itself puts each into the environment by its
 * name, so no text of Groovy or of a shell ever holds a value.
 */
export function jenkinsParameters(
  parameters: readonly Parameter[],
  text: (value: string) => string,
): readonly string[] {
  return parameters.map((parameter) => {
    const { meaning, default: value, kind } = parameter;
    const name = `name: ${text(parameterVariable(parameter))}`;
    const more = meaning === null ? "" : `, description: ${text(meaning)}`;
    if (kind.is === "boolean") return `booleanParam(${name}, defaultValue: ${value === "true"}${more})`;
    if (kind.allowed === null) return `string(${name}, defaultValue: ${text(value ?? "")}${more})`;
    // The first one is what is taken when nothing is said.
    const allowed = kind.allowed.map(String);
    const choices = value === null ? allowed : [value, ...allowed.filter((other) => other !== value)];
    return `choice(${name}, choices: [${choices.map(text).join(", ")}]${more})`;
  });
}
