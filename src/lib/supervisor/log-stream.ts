import type { LogRequest } from "./contract.ts";
import { type Logs, matches } from "./logs.ts";
import type { Send } from "./server.ts";

/** Lines that may wait for a slow reader; then the oldest are thrown away, and that is said. */
const waitingLines = 20_000;
/** Sent as one item. */
const linesPerItem = 500;

/** Sends what is in the logs, then, when asked to follow, every new line: none twice, none left out at the seam. */
export async function followLogs(logs: Logs, request: LogRequest, send: Send, signal: AbortSignal): Promise<void> {
  let waiting: string[] = [];
  let dropped = 0;
  let wake: () => void = () => undefined;
  // Before the first read, in the same turn as its snapshot: a line is in one of the two.
  const unlisten = logs.listen((unit, lines) => {
    if (!request.follow || !matches(unit, request.selector)) return;
    for (const line of lines) waiting.push(line);
    if (waiting.length > waitingLines) dropped += waiting.splice(0, waiting.length - waitingLines).length;
    wake();
  });
  signal.addEventListener("abort", () => wake());
  try {
    for (const lines of logs.read(request.selector, request.tail)) {
      for (let at = 0; at < lines.length; at += linesPerItem) {
        if (signal.aborted) return;
        await send(lines.slice(at, at + linesPerItem));
      }
    }
    while (request.follow && !signal.aborted) {
      const lines = waiting;
      waiting = [];
      if (dropped > 0) lines.unshift(droppedLine(dropped));
      dropped = 0;
      for (let at = 0; at < lines.length; at += linesPerItem) await send(lines.slice(at, at + linesPerItem));
      if (waiting.length > 0 || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unlisten();
  }
}

function droppedLine(count: number): string {
  const text = `${count} lines are left out here: they came faster than they were read`;
  return JSON.stringify({ at: Date.now(), stream: "supervisor", instance: "", text });
}
