import { z } from "zod";

/** The part of the contract that is about alerts of others. */
const alertText = z.string().max(4_096);
const alertTime = z
  .string()
  .max(64)
  .refine((text) => Number.isFinite(Date.parse(text)), "is not a time");
const alertLabels = z
  .record(z.string().max(200), alertText)
  .refine((labels) => Object.keys(labels).length <= 64, "are more than 64");

/**
 * Version 4 of Alertmanager's webhook (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). Keys that we do not
 * read may be there.
 */
export const alertmanagerBody = z.object({
  version: z.literal("4"),
  truncatedAlerts: z.number().int().min(0).default(0),
  alerts: z
    .array(
      z.object({
        status: z.enum(["firing", "resolved"]),
        labels: alertLabels.refine(({ alertname }) => (alertname ?? "") !== "", "lack alertname"),
        startsAt: alertTime,
        endsAt: alertTime,
        fingerprint: z.string().min(1).max(200).optional(),
      }),
    )
    .max(1_000),
});

/** `news` of those that were taken: alerts that have begun or ended to fire. */
export type AlertsView = { readonly taken: number; readonly news: number; readonly truncated: number };
