import { isAbsolute } from "node:path";
import { finished } from "node:stream";
import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { checks } from "../../engine/commands/checks.ts";
import type { World } from "../../engine/world.ts";
import { backupBody, type StopView, stopBody } from "../contract.ts";
import type { ApiOptions } from "../server.ts";

export function stateRoutes(
  server: FastifyInstance,
  world: World,
  options: Pick<ApiOptions, "onStop" | "stopEverything">,
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
    try {
      const left = everything ? await options.stopEverything() : [];
      return { pid: process.pid, left } satisfies StopView;
    } finally {
      // Also when whoever asked has gone meanwhile: it was asked.
      finished(reply.raw, () => options.onStop());
    }
  });
}
