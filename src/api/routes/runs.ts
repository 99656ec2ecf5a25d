import { createReadStream } from "node:fs";
import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { type RunId, runId } from "../../core/ids.ts";
import { cancelRun } from "../../engine/commands/cancel-run.ts";
import { startRun } from "../../engine/commands/start-run.ts";
import { artifactsFile } from "../../engine/pipeline/artifacts.ts";
import { describePipeline } from "../../engine/pipeline/describe.ts";
import { runLogs } from "../../engine/pipeline/read-log.ts";
import { untilChange } from "../../engine/until-change.ts";
import type { World } from "../../engine/world.ts";
import {
  cancelRunBody,
  listQuery,
  type PipelineView,
  pipelineBody,
  type RunDetail,
  runLogsQuery,
  startRunBody,
} from "../contract.ts";
import { digestHeader } from "../digest-header.ts";
import { hasEnded, runDetail, runViews } from "../run-views.ts";
import { streamLines } from "../stream.ts";

const maxListed = 500;

type OfRun = { Params: { id: string } };

export function runRoutes(server: FastifyInstance, world: World): void {
  server.post("/v1/runs", async (request) => {
    const { id, asked, ...body } = startRunBody.parse(request.body);
    return startRun(world, {
      ...body,
      ...(id === undefined ? {} : { id: runId(id) }),
      ...(asked === undefined ? {} : { asked }),
    });
  });

  server.post("/v1/pipelines", async (request, reply): Promise<PipelineView> => {
    const body = pipelineBody.parse(request.body);
    const gone = new AbortController();
    reply.raw.on("close", () => gone.abort(new Error("the client has gone")));
    return describePipeline(world, body, gone.signal);
  });

  server.get("/v1/runs", async (request) => {
    const { product, limit = 20 } = listQuery.parse(request.query);
    return { runs: await runViews(world, { product, limit: Math.min(limit, maxListed) }) };
  });

  server.get<OfRun>("/v1/runs/:id", (request) => runDetail(world, runId(request.params.id)));

  server.get<OfRun>("/v1/runs/:id/follow", (request, reply) =>
    streamLines(reply, (signal) => followRun(world, runId(request.params.id), signal)),
  );

  server.get<OfRun>("/v1/runs/:id/logs", (request, reply) => {
    const { step = null, follow } = runLogsQuery.parse(request.query);
    const run = runId(request.params.id);
    return streamLines(reply, (signal) => runLogs(world, { run, step, follow: follow === "true" }, signal));
  });

  server.get<{ Params: { id: string; number: string } }>(
    "/v1/runs/:id/steps/:number/artifacts",
    async (request, reply) => {
      const { id, number } = request.params;
      const row = await world.store.db
        .selectFrom("run_step")
        .selectAll()
        .where("run_id", "=", runId(id))
        .where("number", "=", Number(number))
        .executeTakeFirst();
      if (row === undefined) throw new SlipwayError("NOT_FOUND", { message: `there is no step ${number} of ${id}` });
      const { file, bytes, digest } = await artifactsFile(world, row);
      const headers = { "content-type": "application/x-tar", "content-length": bytes, [digestHeader]: digest };
      return reply.headers(headers).send(createReadStream(file));
    },
  );

  server.post<OfRun>("/v1/runs/:id/cancel", async (request) => ({
    cancelled: await cancelRun(world, { run: runId(request.params.id), ...cancelRunBody.parse(request.body) }),
  }));
}

/**
 * Between two looks at a run under way. Who looks on is a person, and a run of 200 steps changes 400 times: each time it would be read and
 * told whole, beside the steps themselves.
 */
const newsMs = 50;

/** The run now and at every change, until it has ended; its end at once. */
export async function* followRun(world: World, id: RunId, signal: AbortSignal): AsyncGenerator<RunDetail> {
  let last = "";
  for (;;) {
    const seenMs = world.clock.monotonicMs();
    const changed = world.changes.next(signal);
    changed.catch(() => {});
    const detail = await runDetail(world, id);
    const text = JSON.stringify(detail);
    if (text !== last) yield detail;
    last = text;
    if (detail.endedAt !== null) return;
    await changed;
    await restOrEnd(world, id, { untilMs: seenMs + newsMs, signal });
  }
}

async function restOrEnd(
  world: World,
  id: RunId,
  { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const change = untilChange(world, signal);
    try {
      const restMs = untilMs - world.clock.monotonicMs();
      if (restMs <= 0 || (await hasEnded(world, id))) return;
      await change.wait(restMs);
    } finally {
      change.release();
    }
  }
}
