import type { FastifyInstance } from "fastify";
import { recordEvents } from "../../engine/triggers/record.ts";
import { applyTriggers } from "../../engine/triggers/settings.ts";
import { triggersNow } from "../../engine/triggers/view.ts";
import type { World } from "../../engine/world.ts";
import { applyTriggersBody, beginTriggerBody, listQuery, type TriggersView } from "../contract.ts";
import type { ApiOptions } from "../server.ts";

const maxListed = 500;

export function triggerRoutes(
  server: FastifyInstance,
  world: World,
  { onTriggers }: Pick<ApiOptions, "onTriggers">,
): void {
  server.get("/v1/triggers", async (request): Promise<TriggersView> => {
    const { product, limit = 20 } = listQuery.parse(request.query);
    return triggersNow(world, { product, limit: Math.min(limit, maxListed) });
  });

  server.post("/v1/triggers", async (request): Promise<TriggersView> => {
    const body = applyTriggersBody.parse(request.body);
    await applyTriggers(world, body);
    await onTriggers();
    return triggersNow(world, { product: body.product, limit: 1 });
  });

  server.post("/v1/triggers/events", async (request) => {
    const { product, branch, actor } = beginTriggerBody.parse(request.body);
    const heard = { product, source: "manual", delivery: world.newId(), digest: null } as const;
    const [event] = await recordEvents(world, heard, [{ is: "manual", branch, actor }]);
    return { event };
  });
}
