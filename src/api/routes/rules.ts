import type { FastifyInstance } from "fastify";
import { environmentName } from "../../core/ids.ts";
import { ruleReadings } from "../../engine/judge/standings.ts";
import type { World } from "../../engine/world.ts";
import { type RulesView, rulesQuery } from "../contract.ts";

export function ruleRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/rules", async (request): Promise<RulesView> => {
    const { environment } = rulesQuery.parse(request.query);
    const where = environment === undefined ? {} : { environment: environmentName(environment) };
    return { at: world.clock.now(), rules: await ruleReadings(world, where) };
  });
}
