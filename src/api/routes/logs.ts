import type { FastifyInstance } from "fastify";
import { environmentName, revisionId, serviceName } from "../../core/ids.ts";
import type { World } from "../../engine/world.ts";
import type { LogQuery } from "../../ports/target.ts";
import { logsQuery } from "../contract.ts";
import { streamLines } from "../stream.ts";

const maxTail = 10_000;

export function logRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/logs", async (request, reply) => {
    const query = logQuery(request.query);
    await streamLines(reply, (signal) => world.targets.logs(query, signal));
  });
}

function logQuery(asked: unknown): LogQuery {
  const { environment, service, revision, tail = 100, follow } = logsQuery.parse(asked);
  return {
    ...(environment === undefined ? {} : { environment: environmentName(environment) }),
    ...(service === undefined ? {} : { service: serviceName(service) }),
    ...(revision === undefined ? {} : { revision: revisionId(revision) }),
    tail: Math.min(maxTail, tail),
    follow: follow === "true",
  };
}
