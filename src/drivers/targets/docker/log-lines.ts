import type { Readable } from "node:stream";
import { instanceId } from "../../../core/ids.ts";
import { framesOf } from "../../../lib/docker/frames.ts";
import type { LogLine } from "../../../ports/target.ts";
import type { Identity } from "./labels.ts";

/** Longer lines are cut into pieces of this. */
const maxLineBytes = 65_536;

/** A line with the engine's own time of it, which is finer than milliseconds and sorts as text. */
export type StampedLine = LogLine & { readonly stamp: string };

/** Lines of one container as the engine sends them: frames, each one message that begins with its time. */
export async function* linesOf(body: Readable, identity: Identity): AsyncGenerator<StampedLine> {
  const waiting: Record<"stdout" | "stderr", { stamp: string; text: string } | null> = { stdout: null, stderr: null };
  for await (const { stream, data } of framesOf(body)) {
    // A long line comes as several messages, each with its own time; the line has that of the first.
    const space = data.indexOf(0x20);
    const stamp = stampOf(data.subarray(0, Math.max(0, space)).toString("latin1"));
    if (stamp === null) continue;
    const before = waiting[stream];
    const text = (before?.text ?? "") + data.subarray(space + 1).toString("utf8");
    const began = before?.stamp ?? stamp;
    const isWhole = text.endsWith("\n") || text.length > maxLineBytes;
    waiting[stream] = isWhole ? null : { stamp: began, text };
    if (isWhole) yield lineOf(identity, stream, began, text);
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const rest = waiting[stream];
    if (rest !== null && rest.text !== "") yield lineOf(identity, stream, rest.stamp, rest.text);
  }
}

export function lineOf(identity: Identity, stream: LogLine["stream"], stamp: string, text: string): StampedLine {
  const { service, release, revision, index } = identity;
  return {
    at: Date.parse(stamp),
    stream,
    text: text.replace(/\r?\n$/, ""),
    service,
    release,
    revision,
    instance: instanceId(revision, index),
    stamp,
  };
}

/** Go leaves out zeros at the end of a second's fraction: nine digits again, so that times compare as text. */
function stampOf(text: string): string | null {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  return found === null ? null : `${found[1]}.${(found[2] ?? "").padEnd(9, "0")}Z`;
}

/** As the engine's `since` wants it: seconds with nine digits of a fraction. */
export function sinceOf(stamp: string): string {
  return `${Math.floor(Date.parse(stamp) / 1000)}.${stamp.slice(-10, -1)}`;
}

/** Lines of many sources, each in order, as one in order. Reads one line ahead of each. */
export async function* merged(sources: readonly AsyncIterable<StampedLine>[]): AsyncGenerator<StampedLine> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(
      iterators.map(async (iterator) => (await iterator.next()).value as StampedLine | undefined),
    );
    for (;;) {
      let least = -1;
      for (let i = 0; i < heads.length; i++) {
        const head = heads[i];
        if (head !== undefined && (least < 0 || head.stamp < (heads[least]?.stamp ?? ""))) least = i;
      }
      const line = heads[least];
      if (line === undefined) return;
      yield line;
      heads[least] = (await iterators[least]?.next())?.value as StampedLine | undefined;
    }
  } finally {
    await Promise.all(iterators.map((iterator) => iterator.return?.(undefined)));
  }
}
