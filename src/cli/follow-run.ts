import type { Client } from "../api/client.ts";
import type { RunDetail, StepView } from "../api/contract.ts";
import { fromWire, SlipwayError } from "../core/errors/error.ts";
import { Away } from "./away.ts";
import type { Output } from "./output.ts";
import { runEndLines, runLines, stepEndText, stepName } from "./run-text.ts";
import { LiveLines } from "./terminal/live.ts";
import { clockTime, took } from "./terminal/words.ts";
import { transferTeller } from "./transfer-text.ts";

/** The times of steps under way are drawn again so often. */
const drawMs = 100;

/**
 * Shows a run until it has ended, and answers it: drawn in place on a terminal, a line for each step that begins or ends
 * elsewhere. Outlives a restart of the control plane. Errors: TIMED_OUT, INTERRUPTED, CONTROL_PLANE_DOWN.
 */
export async function followRun(
  reconnect: () => Promise<Client>,
  id: string,
  out: Output,
  { timeoutMs = null }: { readonly timeoutMs?: number | null } = {},
): Promise<RunDetail> {
  const view = out.mode === "terminal" ? liveView() : plainView(out);
  const interrupt = new AbortController();
  const onInterrupt = (): void =>
    interrupt.abort(
      new SlipwayError("INTERRUPTED", {
        message: `${id} goes on without you`,
        hint: `end it with: slipway run cancel ${id}`,
      }),
    );
  const timeout = timeoutMs === null ? [] : [AbortSignal.timeout(timeoutMs)];
  const signal = AbortSignal.any([interrupt.signal, ...timeout]);
  const away = new Away();
  process.once("SIGINT", onInterrupt);
  try {
    for (;;) {
      try {
        const client = await reconnect();
        for await (const detail of client.stream<RunDetail>(`/v1/runs/${id}/follow`, signal)) {
          away.over();
          view.show(detail);
          if (detail.endedAt !== null) return detail;
        }
      } catch (error) {
        interrupt.signal.throwIfAborted();
        if (signal.aborted)
          throw new SlipwayError("TIMED_OUT", { message: `${id} has not ended within ${took(timeoutMs ?? 0)}` });
        await away.wait(error);
      }
    }
  } finally {
    process.off("SIGINT", onInterrupt);
    view.close();
  }
}

/** The release that a run has made. Errors: what the run ended with. */
export function releaseOf({ id, phase, reason, error, release }: RunDetail): string {
  // What failed has been shown already.
  if (error?.code === "PIPELINE_FAILED")
    throw new SlipwayError("PIPELINE_FAILED", { message: error.message, hint: error.hint });
  if (phase === "failed")
    throw error === null ? new SlipwayError("BUILD_FAILED", { message: reason }) : fromWire(error);
  if (release !== null) return release;
  throw new SlipwayError("INTERNAL", { message: `run ${id} ended without a release` });
}

type View = { show(detail: RunDetail): void; close(): void };

function liveView(): View {
  const live = new LiveLines(process.stdout);
  let last: RunDetail | null = null;
  const draw = (): void => {
    if (last !== null) live.draw(runLines(last, Date.now(), { rows: process.stdout.rows ?? 24 }));
  };
  const timer = setInterval(draw, drawMs);
  const close = (): void => clearInterval(timer);
  return {
    show: (detail) => {
      last = detail;
      draw();
      if (detail.endedAt === null) return;
      close();
      const end = runEndLines(detail);
      if (end.length > 0) {
        live.done();
        live.print(end);
      }
      live.done();
      last = null;
    },
    close,
  };
}

function plainView(out: Output): View {
  const shown = new Map<number, string>();
  let reason = "";
  const tell = transferTeller((line) => out.line(line));
  return {
    show: (detail) => {
      for (const step of detail.steps) {
        const key = `${step.phase} ${step.attempt}`;
        if (shown.get(step.number) === key || (step.phase === "waiting" && step.attempt === 0)) continue;
        shown.set(step.number, key);
        out.line(`${clockTime(atOf(step))}  ${stepName(step)}  ${stepEndText(step)}`);
      }
      if (detail.phase !== "checking" && detail.reason !== reason && detail.endedAt === null) {
        out.line(`${clockTime(Date.now())}  ${detail.reason}`);
        reason = detail.reason;
      }
      tell(detail.id, detail.transfers);
      if (detail.endedAt !== null) for (const line of runEndLines(detail)) out.line(line);
    },
    close: () => {},
  };
}

function atOf({ startedAt, endedAt }: StepView): number {
  return endedAt ?? startedAt ?? Date.now();
}
