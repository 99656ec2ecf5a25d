import { matcherText, parseMatcher } from "../../alert/matcher.ts";
import { type ServiceName, serviceName } from "../../ids.ts";
import type { Metric } from "../../metric/catalogue.ts";
import type { Condition } from "./rule.ts";

/** The series of what is told of alerts: 1 while one that is meant fires, 0 when all are resolved, else unknown. */
export const alertSeries = "alert";

const pattern = /^alert\s+(.+?)(?:\s+of\s+(\S+))?\s+firing$/;

/** `alert HighErrorRate{severity="critical"} of api firing`; null when it is about no alert. `wrong` where it means to be. */
export function parseAlert(text: string): Extract<Condition, { is: "threshold" }> | { readonly wrong: string } | null {
  if (!/^alert\s/.test(text)) return null;
  const found = pattern.exec(text);
  const matcher = found === null ? null : parseMatcher(found[1] ?? "");
  if (matcher === null)
    return { wrong: `"${text}" says no alert; write for example alert HighErrorRate{severity="critical"} firing` };
  const service: ServiceName | null = found?.[2] === undefined ? null : serviceName(found[2]);
  const labels = service === null ? matcher.labels : { ...matcher.labels, service };
  const asked = matcherText({ ...matcher, labels });
  const metric = alertMetric(asked);
  return { is: "threshold", metric, service, asked, take: "last", overMs: 0, compare: ">=", threshold: 1 };
}

function alertMetric(name: string): Metric {
  return {
    name: `alert ${name}`,
    unit: "none",
    meaning: "Told by Alertmanager.",
    worse: "higher",
    series: alertSeries,
    take: "last",
    across: "max",
  };
}
