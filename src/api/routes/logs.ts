import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName, revisionId, serviceName } from "../../core/ids.ts";
import type { World } from "../../engine/world.ts";
import type { InstanceStatus, LogQuery } from "../../ports/target.ts";
import { execBody } from "../contract.ts";
import { streamLines } from "../stream.ts";

const maxTail = 10_000;

type LogsQuery = { environment?: string; service?: string; revision?: string; tail?: string; follow?: string };

export function logRoutes(server: FastifyInstance, world: World): void {
  server.get<{ Querystring: LogsQuery }>("/v1/logs", (request, reply) =>
    streamLines(request, reply, (signal) => world.target.logs(logQuery(request.query), signal)),
  );

  server.post("/v1/exec", async (request) => {
    const { instance, command } = execBody.parse(request.body);
    const found = (await world.target.observe({}))
      .flatMap((revision) => revision.instances)
      .find((each) => each.id === instance);
    if (found === undefined)
      throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
    const gone = new AbortController();
    request.raw.on("close", () => gone.abort(new Error("the client has gone")));
    return world.target.exec((found satisfies InstanceStatus).id, command, gone.signal);
  });
}

function logQuery(query: LogsQuery): LogQuery {
  return {
    ...(query.environment === undefined ? {} : { environment: environmentName(query.environment) }),
    ...(query.service === undefined ? {} : { service: serviceName(query.service) }),
    ...(query.revision === undefined ? {} : { revision: revisionId(query.revision) }),
    tail: Math.min(maxTail, Math.max(0, Number(query.tail ?? 100) || 0)),
    follow: query.follow === "true",
  };
}
