import type { EnvironmentName, EpochMs, Json } from "../../ids.ts";
import type { Severity } from "./rule.ts";

/** What people are told about a rule. */
export type Notice = {
  readonly is: "fired" | "resolved";
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly rule: string;
  /** The line as it is written. */
  readonly text: string;
  readonly severity: Severity;
  readonly reason: string;
  /** What is done about it. */
  readonly actions: readonly string[];
  readonly startedAt: EpochMs;
  readonly endedAt: EpochMs | null;
};

const signs = { info: "ℹ", warning: "⚠", critical: "🔴" } as const;

/** A text as Slack's incoming webhooks take it, and those that do as it does. */
export function slackBody(notice: Notice): Json {
  const { product, environment, rule, reason, actions } = notice;
  const sign = notice.is === "resolved" ? "✅" : signs[notice.severity];
  const done = actions.length === 0 || notice.is === "resolved" ? "" : `\n→ ${actions.join(", ")}`;
  return { text: `${sign} *${product} ${environment}: ${rule} ${notice.is}*\n${reason}\n\`${notice.text}\`${done}` };
}

/** Version 4 of Alertmanager's webhook (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). */
export function alertmanagerBody(notice: Notice): Json {
  const status = notice.is === "fired" ? "firing" : "resolved";
  const labels = {
    alertname: notice.rule,
    severity: notice.severity,
    product: notice.product,
    environment: notice.environment,
  };
  const annotations = { summary: notice.reason, rule: notice.text, actions: notice.actions.join(", ") };
  return {
    version: "4",
    groupKey: `{}:{alertname="${notice.rule}",environment="${notice.environment}",product="${notice.product}"}`,
    truncatedAlerts: 0,
    status,
    receiver: "slipway",
    groupLabels: { alertname: notice.rule },
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: "",
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: new Date(notice.startedAt).toISOString(),
        // Zero of Go's clock, as Alertmanager writes it for what goes on.
        endsAt: notice.endedAt === null ? "0001-01-01T00:00:00Z" : new Date(notice.endedAt).toISOString(),
        generatorURL: "",
        fingerprint: `${notice.product}/${notice.environment}/${notice.rule}`,
      },
    ],
  };
}
