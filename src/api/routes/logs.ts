import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName, revisionId, serviceName } from "../../core/ids.ts";
import type { World } from "../../engine/world.ts";
import type { InstanceStatus, LogQuery } from "../../ports/target.ts";
import { execBody, logsQuery } from "../contract.ts";
import { streamLines } from "../stream.ts";

const maxTail = 10_000;

export function logRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/logs", async (request, reply) => {
    const query = logQuery(request.query);
    await streamLines(reply, (signal) => world.targets.logs(query, signal));
  });

  server.post("/v1/exec", async (request, reply) => {
    const { instance, command } = execBody.parse(request.body);
    const found = (await world.targets.observe({}))
      .flatMap((revision) => revision.instances)
      .find((each) => each.id === instance);
    if (found === undefined)
      throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `there is no instance ${instance}` });
    const gone = new AbortController();
    // Not the request's own end: that is when its body has been read.
    reply.raw.on("close", () => gone.abort(new Error("the client has gone")));
    return world.targets.exec((found satisfies InstanceStatus).id, command, gone.signal);
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
