import type { FastifyInstance } from "fastify";
import { environmentName, serviceName } from "../../core/ids.ts";
import { exposition } from "../../engine/metrics/exposition.ts";
import { metricReadings, probeReadings, uptimeReadings } from "../../engine/metrics/view.ts";
import type { World } from "../../engine/world.ts";
import { type MetricsView, metricsQuery, type UptimeView, uptimeQuery } from "../contract.ts";
import { streamLines } from "../stream.ts";

/** How often what is measured is told to somebody who follows it. */
const followMs = 1_000;

export function metricRoutes(server: FastifyInstance, world: World): void {
  const { metrics, clock } = world;
  const view = (query: unknown): MetricsView => {
    const { environment, service, windowS } = metricsQuery.parse(query);
    const where = {
      ...(environment !== undefined && { environment: environmentName(environment) }),
      ...(service !== undefined && { service: serviceName(service) }),
    };
    const windowMs = windowS * 1_000;
    return {
      at: clock.now(),
      metrics: metricReadings(metrics, where, windowMs),
      probes: probeReadings(metrics, where, windowMs),
    };
  };

  server.get("/v1/metrics", async (request): Promise<MetricsView> => view(request.query));

  server.get("/v1/metrics/follow", async (request, reply) => {
    view(request.query);
    await streamLines(reply, async function* (signal) {
      while (!signal.aborted) {
        yield view(request.query);
        await clock.sleep(followMs, signal).catch(() => {});
      }
    });
  });

  server.get("/v1/uptime", async (request): Promise<UptimeView> => {
    const { environment, service, days } = uptimeQuery.parse(request.query);
    const where = {
      ...(environment !== undefined && { environment: environmentName(environment) }),
      ...(service !== undefined && { service: serviceName(service) }),
    };
    return { at: clock.now(), days, uptime: await uptimeReadings(metrics, where, days) };
  });

  /** For a Prometheus, with the token as its bearer. */
  server.get("/metrics", async (_, reply) => {
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return exposition(metrics);
  });
}
