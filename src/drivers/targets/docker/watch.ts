import type { DockerEvent } from "../../../lib/docker/events.ts";
import type { RevisionSelector, RevisionStatus } from "../../../ports/target.ts";
import type { Fleet } from "./fleet.ts";
import type { Host } from "./host.ts";
import { identityOf, isSelected } from "./labels.ts";
import { revisionsOf, type Seen } from "./status.ts";

type News = { readonly host: Host; readonly event: DockerEvent | null };

/**
 * The status now and after every change. A look comes after the event, so an instance may run again by then: its end is told all
 * the same, from the event.
 */
export async function* watchRevisions(
  fleet: Fleet,
  product: string,
  selector: RevisionSelector,
  signal: AbortSignal,
): AsyncGenerator<readonly RevisionStatus[]> {
  const news: News[] = [];
  let wake: () => void = () => {};
  const stops = fleet.hosts.map((host) =>
    host.onChange((event) => {
      const identity = event === null ? null : identityOf(event.Actor.Attributes, product);
      if (event !== null && (identity === null || !isSelected(identity, selector))) return;
      // Its start, or its end, is told next: a question now would take the engine's time from just that start.
      if (event?.Action === "create") return;
      news.push({ host, event });
      wake();
    }),
  );
  const aborted = () => wake();
  signal.addEventListener("abort", aborted);
  try {
    const seenAt = new Map<Host, readonly Seen[]>();
    for (const { host, seen } of await fleet.look(selector, signal)) seenAt.set(host, seen);
    let told = "";
    const changed = function* (): Generator<readonly RevisionStatus[]> {
      const status = revisionsOf([...seenAt.values()].flat());
      // CPU and memory change all the time; a change of state is what is watched.
      const text = JSON.stringify(status, (key, value: unknown) =>
        key === "cpu" || key === "memoryBytes" ? 0 : value,
      );
      if (text === told) return;
      told = text;
      yield status;
    };
    yield* changed();
    while (!signal.aborted) {
      const next = news.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted || news.length > 0) resolve();
        });
        continue;
      }
      // A host that is away keeps its last status; who must know what that means asks `observe`.
      const seen = await fleet.orNothing(next.host.lookAfterNews(selector, signal), signal).catch((error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      });
      if (seen === null) return;
      if (next.event?.Action === "die") {
        seenAt.set(
          next.host,
          seen.map((each) => (each.container.Id === next.event?.Actor.ID ? asItEnded(each) : each)),
        );
        yield* changed();
      }
      seenAt.set(next.host, seen);
      if (news.length === 0 || next.event?.Action === "die") yield* changed();
    }
  } finally {
    signal.removeEventListener("abort", aborted);
    for (const stop of stops) stop();
  }
}

/** Between its end and its next start, when the look was too late for that. */
function asItEnded(seen: Seen): Seen {
  const { container, exit } = seen;
  if (container.State.Status !== "running" || exit === null) return seen;
  const State = { ...container.State, Status: "restarting", Running: false, Restarting: true, Pid: 0 };
  return { ...seen, container: { ...container, State: { ...State, StartedAt: null, FinishedAt: null } } };
}
