import { loadTestsIn } from "../pipeline/resolve.ts";
import { checkCompose, checkProjects } from "./checks/compose.ts";
import { checkEnvironments } from "./checks/environments.ts";
import type { Finding, Place } from "./checks/finding.ts";
import { checkFlags } from "./checks/flags.ts";
import { checkGates } from "./checks/gates.ts";
import { checkNeeds } from "./checks/needs.ts";
import { checkPipeline } from "./checks/pipeline.ts";
import { checkIdle, checkPlaces } from "./checks/places.ts";
import { checkPolicy } from "./checks/policy.ts";
import { checkPreviews } from "./checks/previews.ts";
import { checkProbes } from "./checks/probes.ts";
import { checkRoutes } from "./checks/routes.ts";
import { checkRules } from "./checks/rules.ts";
import { checkScale } from "./checks/scale.ts";
import { checkServices } from "./checks/services.ts";
import { checkSynth } from "./checks/synth.ts";
import { checkTriggers } from "./checks/triggers.ts";
import { type ComposedEnvironment, type ComposeReader, composedEnvironment, namesOf } from "./composed.ts";
import type { ProductInput } from "./input.ts";
import { mergeEnvironment } from "./merge.ts";
import { type Located, type Path, type Problem, pathText, problemsOf, valueAt } from "./problems.ts";
import { environmentNames, onwardsOf, resolveMerged } from "./resolve.ts";
import { type ProductConfig, productSchema } from "./schema.ts";
import { aKindOf, show } from "./wording.ts";

export type Validation = {
  /** Null when there is an error among the problems. */
  readonly config: ProductConfig | null;
  readonly problems: readonly Problem[];
};

export type ValidateOptions = {
  /** For target compose. Without it, what such an environment would be is not looked at. */
  readonly readCompose?: ComposeReader;
};

/**
 * Checks a product's config and says everything that is wrong with it at once: first each key by itself, then, on what is
 * left when the refused parts are taken out, the keys against each other in every environment. Never throws, whatever the
 * value; changes nothing.
 */
export function validateProduct(value: unknown, options: ValidateOptions = {}): Validation {
  const parsed = productSchema.safeParse(value);
  const refused = parsed.success ? [] : problemsOf(parsed.error.issues, value);
  const rest = parsed.success ? { product: parsed.data, removed: [] } : withoutRefused(value, refused);
  const checked = rest === null ? { findings: [], composed: {} } : checkProduct(rest.product, options);
  const findings = checked.findings.filter((finding) => rest === null || stands(finding, rest.removed));
  const problems = unique([...refused, ...findings]);
  const sound = problems.every(({ severity }) => severity === "warning");
  return { config: sound && parsed.success ? withComposed(parsed.data, checked.composed) : null, problems };
}

function withComposed(config: ProductInput, composed: Composed): ProductConfig {
  return Object.keys(composed).length === 0 ? config : { ...config, composed };
}

type Composed = NonNullable<ProductConfig["composed"]>;

/** What each environment would be, checked again as a whole, because half a limit here may complete half a limit there. */
function checkProduct(
  product: ProductInput,
  { readCompose }: ValidateOptions,
): { readonly findings: readonly Checked[]; readonly composed: Composed } {
  const findings: Finding[] = [];
  const composedIn: Record<string, ComposedEnvironment> = {};
  let unread = false;
  const places: Place[] = [];
  const located: Checked[] = [];
  for (const name of environmentNames(product)) {
    const where = whereOf(product, name);
    let merged = mergeEnvironment(product, name);
    let composed: ComposedEnvironment | null = null;
    if (merged.target?.driver === "compose") {
      const read = readCompose === undefined ? null : composedEnvironment(readCompose(merged.target, product.name));
      located.push(
        ...(read?.problems ?? []).map((problem) => ({ at: where(["target", "file"]), because: [], problem })),
      );
      composed = read?.composed ?? null;
      // Nothing is known of its services, so nothing can be said about what the config says of them.
      unread ||= composed === null;
      if (composed === null) continue;
      composedIn[name] = composed;
      merged = mergeEnvironment(product, name, namesOf(composed));
    }
    const whole = productSchema.safeParse(merged);
    if (!whole.success) {
      const issues = problemsOf(whole.error.issues, merged);
      located.push(
        ...issues.map(({ problem, at }) => ({
          at: where(at),
          because: [],
          problem: { ...problem, path: pathText(where(at)) },
        })),
      );
      continue;
    }
    const { promoteFrom = null, gates, previews } = product.environments?.[name] ?? {};
    const place = {
      name,
      merged,
      spec: resolveMerged(merged, name, {
        promoteFrom,
        gates,
        previews,
        composed,
        loadTests: loadTestsIn(product, promoteFrom ?? undefined),
        onwards: onwardsOf(product, name),
      }),
      where,
      composed,
    };
    places.push(place);
    const ofCompose = checkCompose(place);
    findings.push(...ofCompose);
    // What is said of a service that is not there would be found wrong in every other way too.
    if (composed !== null && ofCompose.length > 0) continue;
    findings.push(
      ...checkServices(place),
      ...checkNeeds(place, product),
      ...checkRoutes(place),
      ...checkPolicy(place),
      ...checkRules(place),
      ...checkFlags(place),
      ...checkScale(place),
      ...checkPlaces(place),
      ...checkProbes(place),
    );
  }
  findings.push(...checkPipeline(product), ...checkGates(product), ...checkTriggers(product), ...checkSynth(product));
  findings.push(
    ...checkEnvironments(product, places, { unread }),
    ...checkProjects(places),
    ...checkPreviews(product, places),
    ...checkIdle(places),
  );
  return {
    findings: [...located, ...findings.map((finding) => checkedOf(finding, product))],
    composed: composedIn,
  };
}

type Checked = Located & { readonly because: readonly Path[] };

function checkedOf({ at, message, severity, guess, because = [] }: Finding, product: ProductInput): Checked {
  const value = valueAt(product, at);
  const seen = value === undefined ? null : at.at(-2) === "env" ? aKindOf(value) : show(value);
  return { at, because, problem: { path: pathText(at), message, seen, allowed: null, guess: guess ?? null, severity } };
}

/**
 * A key is written in the environment when that has a value for it, or has what it is missing from; else in the product.
 */
function whereOf(product: ProductInput, name: string): (path: Path) => Path {
  const { environments = {} } = product;
  const here = Object.hasOwn(environments, name) ? environments[name] : undefined;
  return (path) => {
    const inProduct = valueAt(product, path) !== undefined;
    const inHere = valueAt(here, path) !== undefined || (!inProduct && isMapping(valueAt(here, path.slice(0, -1))));
    return inHere && path.length > 1 ? ["environments", name, ...path] : path;
  };
}

function isMapping(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

const maxPasses = 12;

/** The config without what was refused, so that the rest can be checked too; null when nothing useful is left. */
function withoutRefused(
  value: unknown,
  refused: readonly Located[],
): { product: ProductInput; removed: Path[] } | null {
  const copy = copyOf(value);
  const removed: Path[] = [];
  let pending = refused;
  for (let pass = 0; pass < maxPasses; pass++) {
    for (const { at } of pending) {
      const path = removable(copy, at);
      if (path === null) return null;
      removed.push(path);
      if (path.length === 1 && path[0] === "name") (copy as { name: string }).name = "unnamed";
      else delete (valueAt(copy, path.slice(0, -1)) as Record<PropertyKey, unknown>)[path.at(-1)!];
    }
    const parsed = productSchema.safeParse(copy);
    if (parsed.success) return { product: parsed.data, removed };
    pending = problemsOf(parsed.error.issues, copy);
  }
  return null;
}

/** The path itself, or what it is in when it is not there or is a place in a list. */
function removable(root: unknown, at: Path): Path | null {
  if (at.length === 1 && at[0] === "name") return at;
  let path = at;
  while (path.length > 0 && (typeof path.at(-1) === "number" || valueAt(root, path) === undefined))
    path = path.slice(0, -1);
  return path.length === 0 ? null : path;
}

/** Deeper than any config; a value that holds itself ends there too. */
const maxDepth = 32;

function copyOf(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) return undefined;
  if (Array.isArray(value)) return value.map((item) => copyOf(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item, depth + 1)]));
}

/** A finding that rests on something already refused may be false; the refused part is fixed first. */
function stands({ at, because }: Checked, removed: readonly Path[]): boolean {
  return ![at, ...because].some((path) => removed.some((gone) => isWithin(path, gone) || isWithin(gone, path)));
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((segment, index) => path[index] === segment);
}

/** What is wrong in the product is found again in each environment: said once. Errors before warnings. */
function unique(located: readonly Located[]): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const { problem } of located) {
    const key = `${problem.path}\n${problem.message}`;
    if (!seen.has(key)) seen.set(key, problem);
  }
  const problems = [...seen.values()];
  return [
    ...problems.filter(({ severity }) => severity === "error"),
    ...problems.filter(({ severity }) => severity === "warning"),
  ];
}
