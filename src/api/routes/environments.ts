import type { FastifyInstance } from "fastify";
import { environmentName } from "../../core/ids.ts";
import { lock, unlock } from "../../engine/commands/lock.ts";
import { untilChange } from "../../engine/until-change.ts";
import type { World } from "../../engine/world.ts";
import { listQuery, lockBody, type StatusView } from "../contract.ts";
import { streamLines } from "../stream.ts";
import { environmentView, historyView } from "../views.ts";

const maxHistory = 1_000;

/** To somebody who looks on: every change, so long after it, so that one that follows it at once is told with it; and without any, so often. */
const calmMs = 500;
const lookMs = 3_000;

export function environmentRoutes(
  server: FastifyInstance,
  world: World,
  process_: { readonly version: string; readonly startedAt: number },
): void {
  const status = async (): Promise<StatusView> => {
    const rows = await world.store.db
      .selectFrom("environment")
      .select(["product", "name"])
      .orderBy("product")
      .orderBy("name")
      .execute();
    const running = rows.length === 0 ? [] : await world.targets.present({});
    return {
      version: process_.version,
      pid: process.pid,
      startedAt: process_.startedAt,
      edge: edgeView(world),
      environments: await Promise.all(rows.map((row) => environmentView(world, row, running))),
    };
  };

  server.get("/v1/status", status);

  server.get("/v1/status/follow", (_, reply) =>
    streamLines(reply, async function* (signal) {
      while (!signal.aborted) {
        const changed = untilChange(world, signal, { calmMs });
        try {
          yield await status();
          await changed.wait(lookMs);
        } finally {
          changed.release();
        }
      }
    }),
  );

  server.get("/v1/history", async (request) => {
    const { product, environment, limit = 100 } = listQuery.parse(request.query);
    let rows = world.store.db.selectFrom("history").selectAll().where("product", "=", product);
    if (environment !== undefined) rows = rows.where("environment", "=", environmentName(environment));
    const newest = rows.orderBy("id", "desc").limit(Math.min(maxHistory, limit));
    return { history: (await newest.execute()).map(historyView) };
  });

  server.post("/v1/locks", async (request) => {
    const { locked, ...body } = lockBody.parse(request.body);
    const at = { ...body, environment: environmentName(body.environment) };
    await (locked ? lock(world, at) : unlock(world, at));
    return {};
  });
}

/** The edge that has been silent longest; null when none has said anything yet. */
function edgeView(world: World): StatusView["edge"] {
  const views = world.edges.all().flatMap(({ counts }) => {
    const sampleAgeMs = counts.ageMs();
    return counts.latest === null || sampleAgeMs === null
      ? []
      : [{ generation: counts.latest.generation, sampleAgeMs }];
  });
  return views.toSorted((a, b) => b.sampleAgeMs - a.sampleAgeMs)[0] ?? null;
}
