import { isAbsolute } from "node:path";
import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { checks } from "../../engine/commands/checks.ts";
import type { World } from "../../engine/world.ts";
import { backupBody, stopBody } from "../contract.ts";

export function stateRoutes(
  server: FastifyInstance,
  world: World,
  options: { readonly onStop: (everything: boolean) => void },
): void {
  server.get("/v1/checks", async () => ({ checks: await checks(world) }));

  server.post("/v1/state/backup", async (request) => {
    const { file } = backupBody.parse(request.body);
    if (!isAbsolute(file)) throw new SlipwayError("USAGE", { message: `${file} is not an absolute path` });
    await world.store.backup(file);
    return {};
  });

  server.post("/v1/edge/reload", async () => {
    await world.edges.renew();
    return {};
  });

  server.post("/v1/stop", async (request, reply) => {
    const { everything } = stopBody.parse(request.body);
    reply.raw.on("finish", () => options.onStop(everything));
    return {};
  });
}
