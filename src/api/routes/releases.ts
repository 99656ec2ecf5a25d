import type { FastifyInstance } from "fastify";
import { environmentName, releaseId } from "../../core/ids.ts";
import { pin } from "../../engine/commands/pin.ts";
import { plan, planSource } from "../../engine/commands/plan.ts";
import type { World } from "../../engine/world.ts";
import { pinBody, planBody, productQuery } from "../contract.ts";
import { releaseViews } from "../views.ts";

export function releaseRoutes(server: FastifyInstance, world: World): void {
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
