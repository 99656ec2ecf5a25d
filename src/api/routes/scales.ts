import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName, serviceName } from "../../core/ids.ts";
import { scale } from "../../engine/commands/scale.ts";
import { scaleReadings } from "../../engine/scale/standings.ts";
import type { ScaleOutcome } from "../../engine/scale/workflow.ts";
import type { World } from "../../engine/world.ts";
import { type ScaledView, type ScalesView, type ScaleWorkView, scaleBody, scaleQuery } from "../contract.ts";

export function scaleRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/scales", async (request): Promise<ScalesView> => {
    const { product, environment } = scaleQuery.parse(request.query);
    const where = {
      ...(product === undefined ? {} : { product }),
      ...(environment === undefined ? {} : { environment: environmentName(environment) }),
    };
    return { at: world.clock.now(), services: await scaleReadings(world, where) };
  });

  server.post("/v1/scales", async (request): Promise<ScaledView> => {
    const body = scaleBody.parse(request.body);
    return scale(world, {
      ...body,
      environment: environmentName(body.environment),
      service: serviceName(body.service),
    });
  });

  server.get<{ Params: { id: string } }>("/v1/scales/:id", async (request): Promise<ScaleWorkView> => {
    const { id } = request.params;
    const work = id.startsWith("scl_") ? await world.engine.get(id) : null;
    if (work === null) throw new SlipwayError("NOT_FOUND", { message: `there is no scaling called ${id}` });
    if (work.status === "failed") throw new SlipwayError("INTERNAL", { message: work.error ?? "it ended by a bug" });
    return { id, outcome: work.status === "succeeded" ? (work.output as ScaleOutcome) : null };
  });
}
