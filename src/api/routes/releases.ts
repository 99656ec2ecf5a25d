import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName, type RunId, releaseId, runId } from "../../core/ids.ts";
import { pin } from "../../engine/commands/pin.ts";
import { plan, planSource } from "../../engine/commands/plan.ts";
import { startRun } from "../../engine/commands/start-run.ts";
import type { World } from "../../engine/world.ts";
import { pinBody, planBody, productQuery, type RunView, startRunBody } from "../contract.ts";
import { streamLines } from "../stream.ts";
import { releaseViews, runView } from "../views.ts";

export function releaseRoutes(server: FastifyInstance, world: World): void {
  server.post("/v1/runs", async (request) => startRun(world, startRunBody.parse(request.body)));

  server.get<{ Params: { id: string } }>("/v1/runs/:id/follow", (request, reply) =>
    streamLines(reply, (signal) => followRun(world, runId(request.params.id), signal)),
  );

  server.get("/v1/releases", async (request) => ({
    releases: await releaseViews(world, productQuery.parse(request.query).product),
  }));

  server.post<{ Params: { id: string } }>("/v1/releases/:id/pin", async (request) => {
    await pin(world, { release: releaseId(request.params.id), ...pinBody.parse(request.body) });
    return {};
  });

  server.post("/v1/plans", async (request, reply) => {
    const body = planBody.parse(request.body);
    const environment = environmentName(body.environment);
    if ("release" in body) return plan(world, { release: releaseId(body.release), environment });
    const gone = new AbortController();
    reply.raw.on("close", () => gone.abort(new Error("the client has gone")));
    return planSource(world, body, environment, gone.signal);
  });
}

/** The run now and at every change, until it has ended. */
async function* followRun(world: World, id: RunId, signal: AbortSignal): AsyncGenerator<RunView> {
  let last = "";
  for (;;) {
    const changed = world.changes.next(signal);
    changed.catch(() => {});
    const row = await world.store.db.selectFrom("run").selectAll().where("id", "=", id).executeTakeFirst();
    if (row === undefined) throw new SlipwayError("NOT_FOUND", { message: `there is no run ${id}` });
    const view = runView(row);
    if (JSON.stringify(view) !== last) yield view;
    last = JSON.stringify(view);
    if (row.ended_at !== null) return;
    await changed;
  }
}
