import type { FastifyInstance } from "fastify";
import { environmentName } from "../../core/ids.ts";
import { flagsIn, setFlag } from "../../engine/flags/flags.ts";
import type { World } from "../../engine/world.ts";
import { flagBody, flagQuery } from "../flag-contract.ts";

export function flagRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/flags", async (request) => {
    const { product, environment } = flagQuery.parse(request.query);
    return { flags: await flagsIn(world.store.db, { product, environment: environmentName(environment) }) };
  });

  server.post("/v1/flags", async (request) => {
    const body = flagBody.parse(request.body);
    return { changed: await setFlag(world, { ...body, environment: environmentName(body.environment) }) };
  });
}
