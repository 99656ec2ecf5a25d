import type { CiFacts } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { RunId } from "../../core/ids.ts";
import type { Pipeline } from "../../core/pipeline/step.ts";
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
  readonly parameters: Readonly<Record<string, string>>;
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

/** Every parameter of the pipeline with its value. Errors: USAGE. */
export function parametersOf(
  { parameters }: Pick<Pipeline, "parameters">,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const unknown = Object.keys(given).filter((name) => !parameters.some((one) => one.name === name));
  if (unknown.length > 0)
    throw wrong(
      `the pipeline has no parameter ${unknown.join(", ")}`,
      `it has ${parameters.map(({ name }) => name).join(", ") || "none"}`,
    );
  return Object.fromEntries(
    parameters.map(({ name, default: value, allowed }) => {
      const said = given[name] ?? value;
      if (said === null) throw wrong(`the parameter ${name} must be given`, `pass --param ${name}=<value>`);
      if (allowed !== null && !allowed.includes(said))
        throw wrong(`${JSON.stringify(said)} is no value of the parameter ${name}`, `use one of ${allowed.join(", ")}`);
      return [name, said];
    }),
  );
}

/** As steps have them in their environment. */
export function parameterVariables(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      `SLIPWAY_PARAM_${name.toUpperCase().replaceAll("-", "_")}`,
      value,
    ]),
  );
}

function wrong(message: string, hint: string): SlipwayError {
  return new SlipwayError("USAGE", { message, hint });
}
