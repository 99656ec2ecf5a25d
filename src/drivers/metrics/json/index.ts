import { boundedGet } from "../../../lib/http/bounded-get.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type JsonOptions = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** `data.queues[0].length`. */
  readonly path: string;
};

const maxBytes = 1024 * 1024;

/** One number out of the JSON that a URL answers. Truths are 1 and 0. */
export function jsonMetric({ url, headers, path }: JsonOptions): Gauge {
  return {
    read: async (signal) => {
      const { status, body, cut } = await boundedGet({
        url,
        headers: { accept: "application/json", ...headers },
        signal,
        maxBytes,
      });
      if (status < 200 || status > 299) return { is: "unknown", saw: `it answered ${status}` };
      if (cut) return { is: "unknown", saw: `its answer is larger than ${maxBytes} bytes` };
      return numberAt(body, path);
    },
  };
}

function numberAt(body: string, path: string): Outcome {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { is: "unknown", saw: "its answer is not JSON" };
  }
  for (const step of stepsOf(path)) {
    const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, step);
    if (!isThere) return { is: "unknown", saw: `its answer has no ${path}` };
    value = (value as Record<string, unknown>)[step];
  }
  const number =
    typeof value === "boolean"
      ? Number(value)
      : typeof value === "string" && value.trim() !== ""
        ? Number(value)
        : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return { is: "unknown", saw: `${path} is no number` };
  return { is: "pass", saw: String(value), values: { value: number } };
}

/** `a.b[0].c` as its steps. */
export function stepsOf(path: string): readonly string[] {
  return path
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter((step) => step !== "");
}
