import { Cron } from "croner";
import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { WorkflowRow, WorkflowScheduleRow } from "../../ports/tables.ts";
import { enqueue } from "./queue.ts";
import { maxTimerMs, persist, type Services, Stopped } from "./services.ts";

/** The next time of a cron after `from`, in the given zone; null when there is none. Errors: CONFIG_INVALID. */
export function nextTime(cron: string, timeZone: string, from: EpochMs): EpochMs | null {
  try {
    return new Cron(cron, { timezone: timeZone, paused: true }).nextRun(new Date(from))?.getTime() ?? null;
  } catch (cause) {
    throw new SlipwayError("CONFIG_INVALID", {
      message: `"${cron}" in time zone ${timeZone} is not a schedule`,
      evidence: [["said", reasonOf(cause)]],
      hint: 'write five fields, such as "0 3 * * *" for every night at three',
      cause,
    });
  }
}

/** Writes or replaces a schedule. The same times again keep what is due, so that declaring it at every start loses no missed time. */
export async function saveSchedule(
  trx: Trx,
  schedule: Omit<WorkflowScheduleRow, "next_at" | "last_at">,
  now: EpochMs,
): Promise<void> {
  const { name, cron, time_zone } = schedule;
  const old = await trx.selectFrom("workflow_schedule").selectAll().where("name", "=", name).executeTakeFirst();
  const same = old?.cron === cron && old.time_zone === time_zone;
  const next_at = same ? old.next_at : nextTime(cron, time_zone, now);
  if (next_at === null) {
    throw new SlipwayError("CONFIG_INVALID", {
      message: `"${cron}" has no time to come`,
      hint: "correct the schedule",
    });
  }
  const row: WorkflowScheduleRow = { ...schedule, next_at, last_at: old?.last_at ?? null };
  await trx
    .insertInto("workflow_schedule")
    .values(row)
    .onConflict((known) => known.column("name").doUpdateSet(row))
    .execute();
}

/**
 * Starts workflows at the times of their schedules until the engine closes. All times missed in one go are one start. A start is named
 * by its time, so the same time never starts two, not even when the clock is set back.
 */
export class Scheduler {
  readonly #services: Services;
  readonly #launch: (row: WorkflowRow) => void;
  #wake = new AbortController();

  constructor(services: Services, launch: (row: WorkflowRow) => void) {
    this.#services = services;
    this.#launch = launch;
  }

  /** The schedules have changed. */
  changed(): void {
    this.#wake.abort();
  }

  /** Resolves when the engine closes. Never rejects. */
  async run(): Promise<void> {
    const { clock, closing, log } = this.#services;
    closing.addEventListener("abort", () => this.#wake.abort(), { once: true });
    while (!closing.aborted) {
      this.#wake = new AbortController();
      try {
        const nextAt = await persist(this.#services, closing, () => this.#startDue());
        if (closing.aborted) return;
        const left = Math.min(nextAt - clock.now(), maxTimerMs);
        await clock.sleep(Math.max(left, 0), this.#wake.signal).catch(() => {});
      } catch (error) {
        if (error instanceof Stopped) return;
        log("schedule.failed", { reason: reasonOf(error) });
        await clock.sleep(maxTimerMs, this.#wake.signal).catch(() => {});
      }
    }
  }

  async #startDue(): Promise<EpochMs> {
    const { db, clock, log } = this.#services;
    const now = clock.now();
    const schedules = await db.selectFrom("workflow_schedule").selectAll().execute();
    let earliest = Number.POSITIVE_INFINITY;
    for (const schedule of schedules) {
      const next = nextTime(schedule.cron, schedule.time_zone, now);
      if (schedule.next_at <= now) {
        const started = await db.transaction().execute((trx) => startOne(trx, schedule, next, now));
        if (started !== null) {
          log("schedule.started", { schedule: schedule.name, workflow: started.id });
          this.#launch(started);
        }
      } else if (next !== null && next < schedule.next_at) {
        // The clock was set back: without this the schedule would be silent until it has caught up.
        await setNext(db, schedule.name, next);
      }
      if (next !== null) earliest = Math.min(earliest, next);
    }
    return earliest;
  }
}

/** The start and the next time, in one transaction. The schedule may have been replaced since it was read. */
async function startOne(
  trx: Trx,
  seen: WorkflowScheduleRow,
  next: EpochMs | null,
  now: EpochMs,
): Promise<WorkflowRow | null> {
  const { name, next_at: dueAt } = seen;
  const is = await trx.selectFrom("workflow_schedule").selectAll().where("name", "=", name).executeTakeFirst();
  if (is === undefined || is.next_at !== dueAt || is.cron !== seen.cron || is.time_zone !== seen.time_zone) return null;
  if (next === null) await trx.deleteFrom("workflow_schedule").where("name", "=", name).execute();
  else await setNext(trx, name, next, dueAt);
  const id = `${name}@${new Date(dueAt).toISOString()}`;
  return await enqueue(trx, { kind: is.kind, id, input: is.input, lockKey: null }, { open: true, now });
}

async function setNext(db: Db | Trx, name: string, next_at: EpochMs, last_at?: EpochMs): Promise<void> {
  const set = last_at === undefined ? { next_at } : { next_at, last_at };
  await db.updateTable("workflow_schedule").set(set).where("name", "=", name).execute();
}
