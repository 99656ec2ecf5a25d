import { z } from "zod";
import { labelFilter } from "./containers.ts";
import type { Docker } from "./docker.ts";
import { jsonLinesOf } from "./lines.ts";
import { map } from "./shapes.ts";

const event = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: map(z.string()) }),
  time: z.number(),
  timeNano: z.number().optional(),
});
export type DockerEvent = z.output<typeof event>;

export type EventQuery = {
  readonly labels: Readonly<Record<string, string>>;
  /** `start`, `die`, `oom`, `destroy`, `health_status` … */
  readonly actions: readonly string[];
  /** Called when the engine listens: what happens from now on comes. */
  readonly onListening?: () => void;
};

/** Events of containers as they happen, until the signal is aborted (then it ends), or the connection is lost (then it throws). */
export async function* containerEvents(
  docker: Docker,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<DockerEvent> {
  const filters = { type: ["container"], label: labelFilter(query.labels), event: query.actions };
  const body = await docker.stream({ method: "GET", path: "/events", query: { filters }, signal });
  query.onListening?.();
  try {
    for await (const line of jsonLinesOf(body)) {
      const seen = event.safeParse(line);
      if (seen.success) yield seen.data;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    body.destroy();
  }
}
