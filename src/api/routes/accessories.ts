import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName } from "../../core/ids.ts";
import type { AccessoryOutcome } from "../../engine/accessories/workflow.ts";
import { listAccessories, planAccessory, startAccessory } from "../../engine/commands/accessories.ts";
import { untilChange } from "../../engine/until-change.ts";
import type { World } from "../../engine/world.ts";
import { type AccessoryWorkView, accessoryBody, accessoryPlanBody, listQuery } from "../contract.ts";
import { streamLines } from "../stream.ts";

export function accessoryRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/accessories", async (request) => {
    const { product, environment } = listQuery.parse(request.query);
    const only = environment === undefined ? null : environmentName(environment);
    return { accessories: await listAccessories(world, { product, environment: only }) };
  });

  server.post("/v1/accessories/plans", async (request) => {
    const body = accessoryPlanBody.parse(request.body);
    return planAccessory(world, { ...body, environment: environmentName(body.environment) });
  });

  server.post("/v1/accessories", async (request) => ({
    id: await startAccessory(world, accessoryBody.parse(request.body)),
  }));

  server.get<{ Params: { id: string } }>("/v1/accessories/:id/follow", (request, reply) =>
    streamLines(reply, (signal) => follow(world, request.params.id, signal)),
  );
}

/** What it does now, and then how it ended. */
async function* follow(world: World, id: string, signal: AbortSignal): AsyncGenerator<AccessoryWorkView> {
  for (let shown = false; ; shown = true) {
    const changed = untilChange(world, signal);
    try {
      const work = await world.engine.get(id);
      if (work === null || !id.startsWith("acc_"))
        throw new SlipwayError("NOT_FOUND", { message: `there is no work on an accessory called ${id}` });
      if (work.status === "failed") throw new SlipwayError("INTERNAL", { message: work.error ?? "it ended by a bug" });
      const outcome = work.status === "succeeded" ? (work.output as AccessoryOutcome) : null;
      if (outcome !== null || !shown) yield { id, outcome };
      if (outcome !== null) return;
      await changed.wait();
    } finally {
      changed.release();
    }
  }
}
