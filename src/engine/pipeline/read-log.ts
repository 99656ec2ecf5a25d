import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import type { RunId } from "../../core/ids.ts";
import type { RunStepRow } from "../../ports/tables.ts";
import { workspaceOf } from "../release/build-log.ts";
import type { World } from "../world.ts";
import { roomOf } from "./perform-step.ts";
import type { StepSpec } from "./plan-steps.ts";

/** A piece of a step's log: whole lines, but where a line is longer than a piece, or is the last. */
export type LogPiece = { readonly step: string; readonly attempt: number; readonly text: string };

export type LogRequest = {
  readonly run: RunId;
  /** An id of a step, or a name without its combination; null: all, in the order in which they began. */
  readonly step: string | null;
  readonly follow: boolean;
};

const pieceBytes = 64 * 1024;
/** Between two looks at a log that is being written. */
const lookMs = 100;
const newline = 10;

/** The logs of a run, secrets masked. Following it goes on until the steps have ended. Errors: UNKNOWN_RUN, USAGE. */
export async function* runLogs(world: World, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogPiece> {
  const read = new Set<number>();
  for (;;) {
    const changed = world.changes.next(signal);
    changed.catch(() => {});
    const { rows, ended } = await stepsOf(world, request);
    const next = rows
      .filter(({ number, started_at }) => started_at !== null && !read.has(number))
      .toSorted((a, b) => Number(a.started_at) - Number(b.started_at) || a.number - b.number)[0];
    if (next !== undefined) {
      read.add(next.number);
      yield* stepLog(world, request, next, signal);
    } else {
      const open = rows.some(({ phase }) => phase === "waiting" || phase === "running");
      if (!request.follow || (!open && (rows.length > 0 || ended))) return;
      await changed;
    }
  }
}

async function stepsOf(
  { store }: World,
  { run, step }: LogRequest,
): Promise<{ readonly rows: readonly RunStepRow[]; readonly ended: boolean }> {
  const row = await store.db.selectFrom("run").select("ended_at").where("id", "=", run).executeTakeFirst();
  if (row === undefined) throw new SlipwayError("UNKNOWN_RUN", { message: `there is no run ${run}` });
  const rows = await store.db.selectFrom("run_step").selectAll().where("run_id", "=", run).orderBy("number").execute();
  const chosen = rows.filter(
    ({ name, spec }) => step === null || name === step || (JSON.parse(spec) as StepSpec).step.name === step,
  );
  if (step !== null && rows.length > 0 && chosen.length === 0)
    throw new SlipwayError("USAGE", {
      message: `${run} has no step ${JSON.stringify(step)}`,
      evidence: [["steps", rows.map(({ name }) => name).join(", ")]],
      hint: "name one of them",
    });
  return { rows: chosen, ended: row.ended_at !== null };
}

/** All attempts of one step, one after the other. */
async function* stepLog(
  world: World,
  { run, follow }: LogRequest,
  { number, name }: RunStepRow,
  signal: AbortSignal,
): AsyncGenerator<LogPiece> {
  const room = roomOf(workspaceOf(world, run), number);
  for (let attempt = 1; ; attempt++) {
    const isOver = async (): Promise<boolean> => {
      const row = await world.store.db
        .selectFrom("run_step")
        .select(["phase", "attempt"])
        .where("run_id", "=", run)
        .where("number", "=", number)
        .executeTakeFirst();
      return row?.phase !== "running" || (await exists(join(room, String(attempt + 1), "log")));
    };
    for await (const text of pieces(join(room, String(attempt), "log"), { follow, isOver }, signal))
      yield { step: name, attempt, text };
    for (const beside of await besideLogs(join(room, String(attempt)))) {
      yield { step: name, attempt, text: `\n── ${beside.name}\n` };
      for await (const text of pieces(beside.file, { follow: false, isOver }, signal))
        yield { step: name, attempt, text };
    }
    if (!(await exists(join(room, String(attempt + 1), "log")))) return;
  }
}

/** What ran beside a step that has failed. */
async function besideLogs(room: string): Promise<readonly { readonly name: string; readonly file: string }[]> {
  const names = await readdir(room).catch(() => []);
  return names.toSorted().flatMap((each) => {
    const name = /^beside-(.+)\.log$/.exec(each)?.[1];
    return name === undefined ? [] : [{ name, file: join(room, each) }];
  });
}

type Reading = { readonly follow: boolean; readonly isOver: () => Promise<boolean> };

/** Memory stays flat: the next piece is read when this one has been taken. */
async function* pieces(file: string, { follow, isOver }: Reading, signal: AbortSignal): AsyncGenerator<string> {
  const buffer = Buffer.allocUnsafe(pieceBytes);
  let offset = 0;
  for (;;) {
    signal.throwIfAborted();
    // Asked before reading: what is written after it was over is none of it.
    const last = !follow || (await isOver());
    const handle = await open(file, "r").catch(() => null);
    let took = 0;
    if (handle !== null) {
      try {
        const { bytesRead } = await handle.read(buffer, 0, pieceBytes, offset);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1;
        // A line without its end waits, unless it fills a piece or there is no more to come.
        took = end > 0 ? end : bytesRead === pieceBytes ? wholeCharacters(buffer, bytesRead) : last ? bytesRead : 0;
      } finally {
        await handle.close();
      }
    }
    if (took > 0) {
      yield buffer.toString("utf8", 0, took);
      offset += took;
    } else if (last) return;
    else await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** A character must not be cut in two. */
function wholeCharacters(buffer: Buffer, length: number): number {
  let cut = length;
  while (cut > length - 4 && ((buffer[cut - 1] ?? 0) & 0xc0) === 0x80) cut--;
  return ((buffer[cut - 1] ?? 0) & 0xc0) === 0xc0 ? cut - 1 : length;
}

async function exists(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => null);
  await handle?.close();
  return handle !== null;
}
