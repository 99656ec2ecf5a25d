import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { shortDigest } from "../../core/hash.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { ownDatabase } from "../../core/previews/database.ts";
import { templateOf } from "../../core/previews/name.ts";
import type { PreviewDataSpec } from "../../core/product/previews-spec.ts";
import type { JobEnd, StepJob } from "../../ports/executor.ts";
import type { PreviewRow } from "../../ports/tables.ts";
import { lastLines } from "../pipeline/last-lines.ts";
import { whyFailed } from "../pipeline/outcome.ts";
import { releaseView } from "../release/read.ts";
import { newestSecret } from "../secrets/newest.ts";
import type { World } from "../world.ts";
import { creation, type DatabaseTask, removal } from "./database.ts";
import { roomOf, toldOf } from "./room.ts";

/** What was done for a preview's data: written before its first command begins, so that the last one is never forgotten. */
export type Prepared = {
  /** Where the commit is that the commands are of. */
  readonly repository: string;
  readonly commit: string;
  /** Where the config is in it. */
  readonly prefix: string;
  readonly release: ReleaseId;
  readonly data: PreviewDataSpec | null;
  /** Nothing more is to be done until it goes. */
  readonly done: boolean;
};

export type Command = "prepare" | "seed" | "destroy";

export type DataAt = { readonly product: string; readonly environment: EnvironmentName };

const outputBytes = 16 * 1024 ** 2;
const diskBytes = 10 * 1024 ** 3;
const shownLines = 8;

export function preparedOf({ prepared }: Pick<PreviewRow, "prepared">): Prepared | null {
  return prepared === null ? null : (JSON.parse(prepared) as Prepared);
}

/** The checkout that its commands run in, anew, and the directory of its data, as it is. Safe to repeat. Errors: GIT_*, DISK_FULL. */
export async function makeRoom(
  world: World,
  { environment }: DataAt,
  { repository, commit, data }: Prepared,
  signal: AbortSignal,
): Promise<void> {
  const room = roomOf(world, environment);
  await rm(room.source, { recursive: true, force: true });
  for (const directory of [room.directory, room.data, room.source, room.home, room.temporary, room.logs])
    await mkdir(directory, { recursive: true, mode: 0o700 });
  if (data !== null) await world.source.export(repository, { hash: commit, dirty: false }, room.source, signal);
}

/**
 * Runs one of its commands to its end; with the same `attempt` it is found again, and not begun twice. Null when there is none or it has
 * passed, else why not, with its last lines. Errors: SECRET_*.
 */
export async function runCommand(
  world: World,
  at: DataAt,
  { command, prepared, attempt }: { readonly command: Command; readonly prepared: Prepared; readonly attempt: string },
  signal: AbortSignal,
): Promise<string | null> {
  const { data } = prepared;
  if (data === null) return null;
  const own: Command[] = data[command] === null ? [] : [command];
  // It is filled by commands in between.
  const database = command === "seed" ? undefined : data.postgres;
  if (own.length === 0 && database === undefined) return null;
  const secrets = await secretsOf(world, at, data);
  const asked = database === undefined ? null : { database, secrets };
  const before = asked !== null && command === "prepare" ? await creation(world, at, asked) : [];
  // Whatever becomes of the command, its database goes.
  const after = asked !== null && command === "destroy" ? [await removal(world, at, asked)] : [];
  const whys: string[] = [];
  for (const task of [...before, ...own, ...after]) {
    const why = await runTask(world, at, { task, prepared, secrets, attempt }, signal);
    if (why !== null && command !== "destroy") return why;
    if (why !== null) whys.push(why);
  }
  return whys.length === 0 ? null : whys.join("\n");
}

type Task = {
  readonly task: Command | DatabaseTask;
  readonly prepared: Prepared;
  readonly secrets: Readonly<Record<string, string>>;
  readonly attempt: string;
};

async function runTask(
  world: World,
  at: DataAt,
  { task, prepared, secrets, attempt }: Task,
  signal: AbortSignal,
): Promise<string | null> {
  const { data } = prepared;
  if (data === null) return null;
  const room = roomOf(world, at.environment);
  const { spec } = await releaseView(world.store.db, prepared.release, at.environment);
  const isTools = typeof task !== "string";
  const name = isTools ? `database-${task.name}` : task;
  const told = isTools ? task.env : withOwnAddress(at, data, secrets);
  const job: Omit<StepJob, "key" | "room"> = {
    labels: { product: at.product, preview: at.environment },
    command: isTools ? ["sh", "-eu", "-c", task.script] : (data[task] ?? []),
    directory: join(room.source, prepared.prefix),
    sees: [room.source, room.home, room.temporary, room.data],
    env: {
      PATH: process.env.PATH ?? "",
      HOME: room.home,
      TMPDIR: room.temporary,
      LANG: "C.UTF-8",
      SLIPWAY_COMMIT: prepared.commit,
      ...toldOf(world, spec),
      SLIPWAY_DATA_DIR: room.data,
      ...told,
    },
    secrets: isTools ? task.secrets : Object.values(told),
    timeoutMs: data.timeoutMs,
    outputBytes,
    container: null,
    away: null,
    disk: { directory: room.directory, maxBytes: diskBytes },
  };
  for (let again = 0; ; again += 1) {
    const own = `${name}-${shortDigest(`${at.product}/${at.environment}/${attempt}`)}-${again}`;
    const logs = join(room.logs, own);
    const end = await world.executor.run({ ...job, key: `data-${own}`, room: logs }, () => {}, signal);
    // Nobody knows how far it came: it is asked to do it again, as after every failure.
    if (end.is === "lost" && again < 2) continue;
    return failureText(name, end, lastLines(join(logs, "log"), shownLines));
  }
}

function failureText(name: string, end: JobEnd, lines: readonly string[]): string | null {
  const why = whyFailed(end);
  return why === null ? null : [`${name}: ${why}`, ...lines].join("\n");
}

/** Its commands find the preview's own database where its services do. */
function withOwnAddress(
  at: DataAt,
  { postgres }: PreviewDataSpec,
  secrets: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const url = postgres === undefined ? undefined : secrets[postgres.secret];
  if (postgres === undefined || url === undefined) return secrets;
  return { ...secrets, [postgres.secret]: ownDatabase(at, url) };
}

/** Ends what runs of its commands, and removes all that it has on this machine. Safe to repeat. */
export async function removeRoom(world: World, { product, environment }: DataAt): Promise<void> {
  await world.executor.stop({ product, preview: environment });
  await rm(roomOf(world, environment).directory, { recursive: true, force: true });
}

async function secretsOf(
  world: World,
  { product, environment }: DataAt,
  { secrets, postgres }: PreviewDataSpec,
): Promise<Readonly<Record<string, string>>> {
  const place = templateOf(environment) ?? environment;
  const found: [string, string][] = [];
  for (const name of new Set([...secrets, ...(postgres === undefined ? [] : [postgres.secret, postgres.admin])])) {
    const value = await newestSecret(world, { product, environment: place, name });
    if (value === null)
      throw new SlipwayError("SECRET_MISSING", {
        message: `the data of ${environment} needs the secret ${name}, which is not set`,
        hint: `run: slipway secret set ${name} -e ${place}`,
      });
    found.push([name, value.reveal()]);
  }
  return Object.fromEntries(found);
}
