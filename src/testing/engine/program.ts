import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Ctx, Step, Workflow } from "../../ports/engine.ts";
import type { Db, Trx } from "../../ports/store.ts";

/**
 * A workflow that does what its input says, so that one registered kind serves every test, also random ones. Its steps leave
 * a line in a file for every attempt (the outside world), its transactions a row in `history` (the truth).
 */
export const programKind = "program.v1";

export type Program = { readonly file: string; readonly acts: readonly Act[] };

export type Act =
  | {
      readonly do: "step";
      readonly name: string;
      /** So many attempts fail with an error that says `retryable`. */
      readonly failures?: number;
      readonly attempts?: number;
      readonly timeoutMs?: number;
      /** `bug`: throws what is no SlipwayError. `hang`: until it is aborted. `deaf`: then goes on and returns. */
      readonly does?: "bug" | "refuse" | "hang" | "return-when-aborted";
      readonly bytes?: number;
    }
  | { readonly do: "tx"; readonly name: string; readonly refuses?: boolean }
  /** An attempt and its row, as one. */
  | {
      readonly do: "act";
      readonly name: string;
      readonly failures?: number;
      readonly attempts?: number;
      readonly refuses?: boolean;
      /** Its record is flushed with the next one. */
      readonly unsynced?: boolean;
    }
  /** The same, and the program ends with it. */
  | { readonly do: "finish"; readonly name: string; readonly failures?: number; readonly refuses?: boolean }
  /** A signal and its row, as one. */
  | { readonly do: "receive"; readonly topic: string; readonly refuses?: boolean }
  | { readonly do: "sleep"; readonly name: string; readonly ms: number }
  | { readonly do: "wait"; readonly topic: string; readonly timeoutMs?: number }
  /** All at once. */
  | { readonly do: "together"; readonly acts: readonly Act[] }
  /** Its failure becomes its result. */
  | { readonly do: "try"; readonly act: Act }
  | { readonly do: "throw"; readonly message: string };

export const program: Workflow<Program, Json> = async (ctx, { file, acts }) => {
  const results: Json[] = [];
  for (const act of acts) results.push(await run(ctx, file, act));
  return results;
};

async function run(ctx: Ctx, file: string, act: Act): Promise<Json> {
  switch (act.do) {
    case "step": {
      const { attempts = 1, timeoutMs } = act;
      const options = { attempts, backoffMs: 1, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
      return await ctx.step(act.name, (step) => perform(file, act, step), options);
    }
    case "act": {
      const { name, failures = 0, attempts = 1, refuses = false, unsynced = false } = act;
      return await ctx.act(
        name,
        (step) => perform(file, { do: "step", name, failures }, step),
        (trx) => write(trx, `${ctx.workflowId} ${name}`, refuses),
        { attempts, backoffMs: 1, unsynced: () => unsynced },
      );
    }
    case "finish": {
      const { name, failures = 0, refuses = false } = act;
      return await ctx.finish(
        name,
        (step) => perform(file, { do: "step", name, failures }, step),
        (trx) => write(trx, `${ctx.workflowId} ${name}`, refuses),
        { attempts: 2, backoffMs: 1 },
      );
    }
    case "receive":
      return await ctx.receive<Json, Json>(act.topic, async (trx, payload) => ({
        payload,
        row: await write(trx, `${ctx.workflowId} ${act.topic} ${JSON.stringify(payload)}`, act.refuses ?? false),
      }));
    case "tx":
      return await ctx.tx(act.name, (trx) => write(trx, `${ctx.workflowId} ${act.name}`, act.refuses ?? false));
    case "sleep":
      await ctx.sleep(act.name, act.ms);
      return act.name;
    case "wait":
      return await ctx.waitFor(act.topic, act.timeoutMs === undefined ? {} : { timeoutMs: act.timeoutMs });
    case "together":
      return await Promise.all(act.acts.map((one) => run(ctx, file, one)));
    case "try":
      return await run(ctx, file, act.act).catch((error: unknown) => {
        if (!isSlipwayError(error)) throw error;
        return JSON.parse(JSON.stringify(error)) as Json;
      });
    case "throw":
      throw new Error(act.message);
  }
}

async function perform(file: string, act: Act & { do: "step" }, { key, signal }: Step): Promise<Json> {
  appendFileSync(file, `${key} ${act.name}\n`);
  if (act.does === "hang" || act.does === "return-when-aborted") {
    if (!signal.aborted) await once(signal, "abort");
    appendFileSync(file, `${key} ${act.name} aborted by ${(signal.reason as Error).name}\n`);
    if (act.does === "hang") throw signal.reason;
  }
  if (act.does === "bug") throw new TypeError(`${act.name} is broken`);
  const evidence = [["seen", act.name]] as const;
  if (act.does === "refuse")
    throw new SlipwayError("PORT_TAKEN", { message: `${act.name} refused`, evidence, hint: "no" });
  const tries = attemptsIn(file).filter((line) => line.key === key).length;
  if (tries <= (act.failures ?? 0)) throw new SlipwayError("EDGE_DIED", { message: `${act.name} failed`, evidence });
  return { name: act.name, ...(act.bytes === undefined ? {} : { text: "x".repeat(act.bytes) }) };
}

async function write(trx: Trx, reason: string, refuses: boolean): Promise<Json> {
  await trx
    .insertInto("history")
    .values({
      at: 0,
      product: "test",
      environment: null,
      deployment_id: null,
      release_id: null,
      event: "test.effect",
      actor: "test",
      reason,
      evidence: "{}",
    })
    .execute();
  if (refuses) throw new SlipwayError("ENVIRONMENT_LOCKED", { message: `${reason} refused` });
  return reason;
}

/** Every attempt of every step that was made with this file, in order. */
export function attemptsIn(file: string): { readonly key: string; readonly name: string; readonly note: string }[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const [key = "", name = "", ...note] = line.split(" ");
    return { key, name, note: note.join(" ") };
  });
}

/** What the transactions of a workflow wrote, in order. */
export async function effectsOf(db: Db, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom("history")
    .select("reason")
    .where("reason", "like", `${id} %`)
    .orderBy("id")
    .execute();
  return rows.map(({ reason }) => reason.slice(id.length + 1));
}
