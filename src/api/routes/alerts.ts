import type { FastifyInstance } from "fastify";
import type { Alert } from "../../core/alert/book.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { World } from "../../engine/world.ts";
import { type AlertsView, alertmanagerBody } from "../alert-contract.ts";

/** Where Alertmanager posts; it has a token of its own, which opens nothing else. */
export const alertsPath = "/v1/alerts";
/** A group of a thousand alerts, with their labels and annotations. */
const bodyLimitBytes = 4 * 1024 ** 2;

export function alertRoutes(server: FastifyInstance, world: World): void {
  server.post(alertsPath, { bodyLimit: bodyLimitBytes }, async (request): Promise<AlertsView> => {
    const { alerts, truncatedAlerts } = alertmanagerBody.parse(request.body);
    const news = await world.alerts.receive(alerts.map(alertOf));
    return { taken: alerts.length, news, truncated: truncatedAlerts };
  });
}

type Told = ReturnType<typeof alertmanagerBody.parse>["alerts"][number];

function alertOf({ status, labels, startsAt, endsAt, fingerprint }: Told): Alert {
  // Zero of Go's clock, as it is written for what goes on.
  const ends = Date.parse(endsAt);
  return {
    fingerprint: fingerprint ?? canonicalJson(labels),
    status,
    labels,
    startsAt: Date.parse(startsAt),
    endsAt: ends > 0 ? ends : null,
  };
}
