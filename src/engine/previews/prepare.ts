import { isSlipwayError } from "../../core/errors/error.ts";
import { environmentName, type Json, type ReleaseId, releaseId } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { type DataAt, makeRoom, type Prepared, preparedOf, runCommand } from "./data.ts";
import { findPreview, setPreview } from "./rows.ts";

/** Makes a preview's data before its first release: as one with its deployments and its removal. */
export const prepareKind = "preview-prepare.v1";

type Input = {
  readonly product: string;
  readonly environment: string;
  readonly repository: string;
  readonly commit: string;
  readonly release: string;
  readonly actor: string;
};

/** Null: its data is there. Else why not. */
export type PrepareOutcome = { readonly failure: string | null };

/** Puts it in the queue of the environment, once for each name, and waits for its end. */
export async function prepareData(
  world: World,
  id: string,
  {
    release,
    ...at
  }: DataAt & {
    readonly repository: string;
    readonly commit: string;
    readonly release: ReleaseId;
    readonly actor: string;
  },
  signal: AbortSignal,
): Promise<PrepareOutcome> {
  const input: Input = { ...at, release };
  await world.engine.start(prepareKind, id, input, { lockKey: `${at.product}/${at.environment}` });
  const { status, output, error } = await world.engine.ended(id, signal);
  return status === "succeeded" ? (output as PrepareOutcome) : { failure: error ?? "it was called off" };
}

/** What has been done once is not done again, whatever is pushed. A crash anywhere repeats at most one step, and begins no command twice. */
export function prepareWorkflow(world: World): Workflow<Input, Json> {
  return async (ctx, input) => {
    const at: DataAt = { product: input.product, environment: environmentName(input.environment) };
    const wanted = await ctx.step("look", () => wantedOf(world, at, input));
    const prepared = await ctx.tx("begin", (trx) => begin(trx, at, wanted));
    if (prepared === null) return { failure: `${at.environment} is being removed` };
    if (prepared.done) return { failure: null };
    const failure = await (async () => {
      try {
        await ctx.step("make room", ({ signal }) => makeRoom(world, at, prepared, signal).then(() => null));
        for (const command of ["prepare", "seed"] as const) {
          const why = await ctx.step(command, ({ signal }) =>
            runCommand(world, at, { command, prepared, attempt: ctx.workflowId }, signal),
          );
          if (why !== null) return why;
        }
        return null;
      } catch (error) {
        if (!isSlipwayError(error)) throw error;
        return `${error.code} ${error.message}`;
      }
    })();
    await ctx.tx("end", (trx) => end(world, trx, { ...at, actor: input.actor }, prepared, failure));
    world.changes.announce();
    return { failure };
  };
}

async function wantedOf({ store, source }: World, { environment }: DataAt, input: Input): Promise<Prepared> {
  const release = releaseId(input.release);
  const { repository, commit } = input;
  const { prefix } = await source.resolve(repository, commit);
  const { previews } = (await releaseView(store.db, release, environment)).spec;
  return { repository, commit, prefix, release, data: previews?.data ?? null, done: false };
}

/** The last commit that tried has its say over what is removed. */
async function begin(trx: Trx, at: DataAt, wanted: Prepared): Promise<Prepared | null> {
  const row = await findPreview(trx, at);
  if (row === undefined || row.phase === "removing") return null;
  const before = preparedOf(row);
  // Of a commit that wants a database there was no word then: it is made now, and the rest again.
  const isAllThere = before?.data?.postgres !== undefined || wanted.data?.postgres === undefined;
  if (before?.done && isAllThere) return before;
  await setPreview(trx, at, { prepared: JSON.stringify(wanted) });
  return wanted;
}

async function end(
  world: World,
  trx: Trx,
  { product, environment, actor }: DataAt & { readonly actor: string },
  prepared: Prepared,
  failure: string | null,
): Promise<null> {
  if (failure === null)
    await setPreview(trx, { product, environment }, { prepared: JSON.stringify({ ...prepared, done: true }) });
  if (prepared.data === null) return null;
  await appendHistory(trx, {
    at: world.clock.now(),
    product,
    environment,
    event: `preview.${failure === null ? "prepared" : "prepare-failed"}`,
    actor,
    reason: failure?.split("\n")[0] ?? `its data was made by ${prepared.commit.slice(0, 7)}`,
    evidence: failure === null ? [] : [["it said", failure.split("\n").slice(1).join("\n")]],
  });
  return null;
}
