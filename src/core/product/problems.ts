import type { z } from "zod";
import { nearest } from "./guess.ts";
import { artifactKeys } from "./service.ts";
import { keyAt, keyPaths, type Node, nodesAt } from "./tree.ts";
import { aKindOf, show } from "./wording.ts";

/** One thing about a config that is wrong, or that is right and probably not meant. */
export type Problem = {
  /** `services.web.routes[0].host`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong and what to do, without the path: one line, no full stop. */
  readonly message: string;
  /** The value, short; its kind only where it may be a secret; null when nothing is there. */
  readonly seen: string | null;
  /** What may be written there, in words. */
  readonly allowed: string | null;
  /** What was probably meant. */
  readonly guess: string | null;
  /** An error stops; a warning is only shown. */
  readonly severity: "error" | "warning";
};

export type Path = readonly PropertyKey[];

/** A problem, and where it is as a path that can be walked. */
export type Located = { readonly problem: Problem; readonly at: Path };

const maxShown = 100;
const maxColumn = 60;
/** More are not listed in a line: `slipway explain` lists them. */
const fewKeys = 8;

/** All problems as a person reads them: aligned, warnings apart. Empty when there are none. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === "error");
  const warnings = problems.filter((problem) => problem.severity === "warning");
  if (problems.length === 0) return "";
  const counts = [count(errors.length, "problem"), count(warnings.length, "warning")].filter((text) => text !== "");
  const column = Math.min(maxColumn, Math.max(...problems.map(({ path }) => shownPath(path).length)));
  const lines = (some: readonly Problem[]) => [
    ...some.slice(0, maxShown).map(({ path, message }) => `  ${shownPath(path).padEnd(column)}   ${message}`),
    ...(some.length > maxShown ? [`  … and ${some.length - maxShown} more`] : []),
  ];
  const apart = errors.length > 0 && warnings.length > 0 ? ["", "  warnings"] : [];
  return [`${file}: ${counts.join(", ")}`, ...lines(errors), ...apart, ...lines(warnings)].join("\n");
}

/** What zod found, in our words. `root` is the value that was checked. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], root: unknown): readonly Located[] {
  return issues.flatMap((issue) => located(issue, [], root));
}

/** `services.web.routes[0].host`. Names that would be read as something else are in quotes. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === "number") return `${text}[${segment}]`;
    const name = String(segment);
    const plain = /^[A-Za-z_$][\w$/-]*$/.test(name);
    if (!plain) return `${text}[${JSON.stringify(name.length > 60 ? `${name.slice(0, 59)}…` : name)}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

/** What is at a path, or undefined. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, segment) => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) return undefined;
    return (value as Record<PropertyKey, unknown>)[segment];
  }, root);
}

function located(issue: z.core.$ZodIssue, above: Path, root: unknown): readonly Located[] {
  const at = [...above, ...issue.path];
  const value = valueAt(root, at);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(at, key, root));
  if (issue.code === "invalid_key") return [problem(at, value, issue.issues[0]?.message ?? issue.message)];
  if (value === undefined) return [problem(at, value, `missing; ${advice(at)}`)];
  if (issue.code === "invalid_union") return ofUnion(issue.errors, at, value, root);
  if (issue.code === "too_small" || issue.code === "too_big") return [problem(at, value, outOfRange(issue, at, value))];
  const isContainer = issue.code === "invalid_type" && /^(object|record|array)$/.test(issue.expected);
  const own = isContainer && keyAt(at)?.node.is !== "value";
  return [problem(at, value, own ? wrongShape(at, value) : issue.message)];
}

/** The branch the writer was most likely in: the one whose outermost value had the right kind. */
function ofUnion(branches: readonly z.core.$ZodIssue[][], at: Path, value: unknown, root: unknown): readonly Located[] {
  const entered = branches
    .filter((issues) => issues.some((issue) => issue.path.length > 0 || !/^invalid_(type|value)$/.test(issue.code)))
    .sort((a, b) => a.length - b.length);
  const best = entered[0];
  return best === undefined
    ? [problem(at, value, wrongShape(at, value))]
    : best.flatMap((issue) => located(issue, at, root));
}

function unknownKey(at: Path, key: string, root: unknown): Located {
  const path = [...at, key];
  const place = nodesAt(at);
  const { message, guess } = strayKey(key, at, place);
  const allowed = place.flatMap((node) => (node.is === "object" ? node.keys.map(({ name }) => name) : []));
  return {
    at: path,
    problem: {
      path: pathText(path),
      message,
      seen: aKindOf(valueAt(root, path)),
      allowed: allowed.length === 0 ? null : `one of ${allowed.join(", ")}`,
      guess,
      severity: "error",
    },
  };
}

/** What other tools call our keys. */
const foreignNames: Readonly<Record<string, string>> = {
  cmd: "command",
  start: "command",
  run: "command",
  replicas: "instances",
  autoscale: "scale",
  autoscaling: "scale",
  environment: "env",
  domain: "routes",
  domains: "routes",
  host: "routes",
  hosts: "routes",
  healthcheck: "health",
  dependsOn: "needs",
  depends_on: "needs",
  type: "kind",
  root: "path",
  context: "path",
  promote_from: "promoteFrom",
  prefix: "path",
  pathPrefix: "path",
  stripPrefix: "strip",
  stripPath: "strip",
};

function strayKey(key: string, at: Path, place: readonly Node[]): { message: string; guess: string | null } {
  const names = place.flatMap((node) => (node.is === "object" ? node.keys.map(({ name }) => name) : []));
  if (at[0] === "environments" && at[2] === "services" && at.length === 4 && artifactKeys.includes(key)) {
    const home = pathText(["services", at[3]!, key]);
    return {
      message: `the same in every environment, because the same artifact is promoted; use ${home}`,
      guess: home,
    };
  }
  if ((key === "port" || key === "ports") && names.includes("command"))
    return { message: "unknown key; Slipway gives each instance a free port in PORT", guess: null };
  if (names.includes(key)) {
    const beside = names.filter((name) => name !== key).join(", ");
    return { message: `does not go together with ${beside}; use one of them`, guess: null };
  }
  const foreign = Object.hasOwn(foreignNames, key) ? foreignNames[key]! : null;
  const near = foreign !== null && names.includes(foreign) ? foreign : nearest(key, names);
  // A key that is known one or two levels further down is in the wrong place, not misspelt.
  const deeper = place.flatMap((node) => keyPaths(node)).find(({ path }) => path.at(-1) === key && !path.includes("*"));
  const guess = near ?? (deeper === undefined ? null : deeper.path.join("."));
  if (guess !== null) return { message: `unknown key; did you mean "${guess}"?`, guess };
  // A key of each environment, each service, written one level too high: there is no one path to guess.
  const within = place
    .flatMap((node) => keyPaths(node))
    .find(({ path }) => path.length === 3 && path[1] === "*" && path[2] === key);
  if (within !== undefined)
    return {
      message: `unknown key here; it belongs in ${[...at, ...within.path].join(".")}`,
      guess: null,
    };
  const few = names.length > 0 && names.length <= fewKeys;
  return { message: few ? `unknown key; use one of ${names.join(", ")}` : "unknown key", guess };
}

function outOfRange(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, at: Path, value: unknown): string {
  if (Array.isArray(value)) return `${issue.code === "too_small" ? "an empty list" : "too many"}; ${advice(at)}`;
  return `${show(value)} is out of range; ${advice(at)}`;
}

function wrongShape(at: Path, value: unknown): string {
  return `${show(value)} does not fit here; ${advice(at)}`;
}

function advice(at: Path): string {
  const allowed = allowedAt(at);
  return allowed === null ? "leave it out" : `use ${allowed}`;
}

function allowedAt(at: Path): string | null {
  const own = keyAt(at)?.doc.allowed;
  if (own !== undefined) return own;
  const options = nodesAt(at).map(nodeText);
  return options.length === 0 ? (at.length === 0 ? "an object" : null) : [...new Set(options)].join(", or ");
}

function nodeText(node: Node): string {
  switch (node.is) {
    case "value":
      return node.allowed;
    case "choice":
      return `one of ${node.words.join(", ")}`;
    case "flag":
      return "true or false";
    case "off":
      return "false";
    case "list":
      return "a list";
    case "map":
      return "an object";
    case "object":
      return `an object with ${node.keys
        .map(({ name }) => name)
        .filter((name) => !name.startsWith("$"))
        .join(", ")}`;
    case "either":
      return node.of.map(nodeText).join(", or ");
  }
}

function problem(at: Path, value: unknown, message: string): Located {
  return {
    at,
    problem: {
      path: pathText(at),
      message,
      seen: value === undefined ? null : maySecret(at) ? aKindOf(value) : show(value),
      allowed: allowedAt(at),
      // The sentence is written where the value is refused; the guess in it is taken from there, so that they agree.
      guess: /did you mean "([^"]+)"\?$/.exec(message)?.[1] ?? null,
      severity: "error",
    },
  };
}

/** Values of environment variables are never shown, nor URLs: both may have a password in them. */
function maySecret(at: Path): boolean {
  return at.at(-2) === "env" || at.at(-1) === "url";
}

function shownPath(path: string): string {
  return path === "" ? "(the whole file)" : path;
}

function count(number: number, noun: string): string {
  return number === 0 ? "" : `${number} ${noun}${number === 1 ? "" : "s"}`;
}
