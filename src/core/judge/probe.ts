import type { EpochMs } from "../ids.ts";
import type { HealthSpec, JsonShape } from "../product/spec.ts";

/** What one HTTP probe got back, or why it got nothing. */
export type ProbeAnswer =
  | {
      readonly is: "answer";
      readonly at: EpochMs;
      readonly tookMs: number;
      readonly status: number;
      readonly body: string;
    }
  | { readonly is: "nothing"; readonly at: EpochMs; readonly tookMs: number; readonly why: string };

export type ProbeResult = { readonly healthy: boolean; readonly saw: string };

/** Longest part of a body that is shown to a person. */
const shownChars = 120;

/** Does the answer say what the config calls healthy? `saw` is shown as evidence either way. */
export function judgeAnswer(health: Pick<HealthSpec, "status" | "body">, answer: ProbeAnswer): ProbeResult {
  if (answer.is === "nothing") return { healthy: false, saw: answer.why };
  const saw = `${answer.status} ${shown(answer.body)}`;
  const statusFits =
    health.status === null ? answer.status >= 200 && answer.status < 300 : health.status.includes(answer.status);
  if (!statusFits) return { healthy: false, saw };
  if (health.body === null) return { healthy: true, saw };
  if (typeof health.body === "string") {
    return answer.body.includes(health.body)
      ? { healthy: true, saw }
      : { healthy: false, saw: `${saw}, which does not contain ${JSON.stringify(health.body)}` };
  }
  const parsed = parseJson(answer.body);
  if (parsed === undefined) return { healthy: false, saw: `${saw}, which is not JSON` };
  return contains(parsed, health.body)
    ? { healthy: true, saw }
    : { healthy: false, saw: `${saw}, expected ${JSON.stringify(health.body)}` };
}

/** A body on one line, as much of it as a person reads. */
function shown(body: string): string {
  const text = body.replace(/[\s\p{Cc}]+/gu, " ").trim();
  if (text === "") return "(empty body)";
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every key of the shape is there with that value; other keys are allowed at every depth. Arrays must be equal. */
function contains(value: unknown, shape: JsonShape): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const object = value as Record<string, unknown>;
  return Object.entries(shape).every(([key, expected]) => {
    const seen = Object.hasOwn(object, key) ? object[key] : undefined;
    if (Array.isArray(expected)) return Array.isArray(seen) && JSON.stringify(seen) === JSON.stringify(expected);
    if (typeof expected === "object" && expected !== null) return contains(seen, expected as JsonShape);
    return seen === expected;
  });
}

/** An instance as the prober knows it. `unknown`: not probed yet, which is not healthy. */
export type InstanceHealth = {
  readonly is: "unknown" | "healthy" | "unhealthy";
  readonly failuresInRow: number;
  readonly last: ProbeResult | null;
};

export const unknownHealth: InstanceHealth = { is: "unknown", failuresInRow: 0, last: null };

/** One success makes an instance healthy; `retries` failures in a row take it away again. */
export function observe(health: InstanceHealth, result: ProbeResult, retries: number): InstanceHealth {
  if (result.healthy) return { is: "healthy", failuresInRow: 0, last: result };
  const failuresInRow = health.failuresInRow + 1;
  const lost = health.is === "healthy" && failuresInRow < retries;
  return { is: lost ? "healthy" : "unhealthy", failuresInRow, last: result };
}
