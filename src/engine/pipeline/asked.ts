import type { CiFacts } from "../../core/ci/facts.ts";
import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import type { RunId } from "../../core/ids.ts";
import { kindText, type ParameterValue, parameterVariable, readValue } from "../../core/pipeline/parameter.ts";
import type { Pipeline } from "../../core/pipeline/step.ts";
import { nearest } from "../../core/product/guess.ts";
import type { RunEvent } from "../../core/product/pipeline.ts";
import type { Db, Trx } from "../../ports/store.ts";

/** What a run was asked for. */
export type Asked = {
  readonly event: RunEvent;
  /** The branch it is for; null: the one that is checked out. */
  readonly branch: string | null;
  /** Names of steps and services; empty: all. */
  readonly steps: readonly string[];
  readonly services: readonly string[];
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** The steps that test this environment, besides. */
  readonly loadTest?: string | undefined;
  /** Whether results of before may be taken. */
  readonly cache: boolean;
  /** Whether a release is made when all has passed. */
  readonly release: boolean;
  /** Of a CI that has asked for it. */
  readonly ci?: CiFacts | undefined;
};

/** As runs of before, which had no pipeline, and as whoever does not say more. */
export const askedForRelease: Asked = {
  event: "deploy",
  branch: null,
  steps: [],
  services: [],
  parameters: {},
  cache: true,
  release: true,
};

export async function askedOf(db: Db | Trx, run: RunId): Promise<Asked> {
  const row = await db.selectFrom("run_request").selectAll().where("run_id", "=", run).executeTakeFirst();
  return row === undefined ? askedForRelease : { ...(JSON.parse(row.asked) as Asked), event: row.event };
}

/** Every parameter of the pipeline with its value, as steps have it. All that is wrong is said at once. Errors: USAGE. */
export function parametersOf(
  { parameters }: Pick<Pipeline, "parameters">,
  given: Readonly<Record<string, ParameterValue>>,
): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  const wrong: Evidence[] = Object.keys(given)
    .filter((name) => !parameters.some((one) => one.name === name))
    .map((name) => [name, unknownText(name, parameters)]);
  for (const { name, kind, default: value } of parameters) {
    const said = given[name] ?? value;
    const read = said === null ? null : readValue(kind, said);
    if (read === null) wrong.push([name, `must be given: ${kindText(kind)}`]);
    else if ("value" in read) values[name] = read.value;
    else wrong.push([name, `${JSON.stringify(said)} is not ${read.allowed}`]);
  }
  if (wrong.length === 0) return values;
  throw new SlipwayError("USAGE", {
    message: wrong.length === 1 ? "a parameter is not right" : `${wrong.length} parameters are not right`,
    evidence: wrong,
    hint: "pass --param <name>=<value>; what there is: slipway run params",
  });
}

function unknownText(name: string, parameters: Pipeline["parameters"]): string {
  const names = parameters.map((one) => one.name);
  const near = nearest(name, names);
  if (near !== null) return `there is none; did you mean ${near}?`;
  return `there is none; the pipeline has ${names.join(", ") || "no parameters"}`;
}

/** As steps have them in their environment. */
export function parameterVariables(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [parameterVariable({ name }), value]));
}
