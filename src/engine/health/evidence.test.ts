import { describe, expect, it } from "vitest";
import { instanceId, releaseId, revisionId, serviceName } from "../../core/ids.ts";
import { systemClock } from "../../lib/system-clock.ts";
import type { LogLine, LogQuery } from "../../ports/target.ts";
import { logEvidence } from "./evidence.ts";

const revision = revisionId("rev_1");
const [good, sick] = [instanceId(revision, 0), instanceId(revision, 1)];

function line(instance: typeof good, at: number, text: string): LogLine {
  return {
    at,
    stream: "stdout",
    text,
    service: serviceName("web"),
    release: releaseId("rel_1"),
    revision,
    instance,
  };
}

/** Gives the newest lines, as many as are asked for. */
function logging(lines: readonly LogLine[]) {
  return {
    clock: systemClock,
    targets: {
      async *logs({ tail = lines.length }: LogQuery) {
        yield* lines.slice(-tail);
      },
    },
  };
}

describe("the log lines shown with a failure", () => {
  it("are those of the instance that failed, however much its neighbours say", async () => {
    const noise = Array.from({ length: 2_000 }, (_, index) => line(good, 20 + index, `served ${index}`));
    const lines = [line(sick, 10, "no memory"), line(sick, 11, "good bye"), ...noise];
    expect(await logEvidence(logging(lines), { revision, instance: sick }, 0)).toEqual([
      ["log", "no memory"],
      ["log", "good bye"],
    ]);
  });

  it("are the revision's when no instance is named, or when that one has said nothing since", async () => {
    const lines = [line(sick, 1, "an earlier attempt"), line(good, 10, "GET / failed"), line(good, 11, "GET / failed")];
    const seen = [["log", "GET / failed (2 times)"]];
    expect(await logEvidence(logging(lines), { revision, instance: null }, 5)).toEqual(seen);
    expect(await logEvidence(logging(lines), { revision, instance: sick }, 5)).toEqual(seen);
  });

  it("are what could be read, with why not more", async () => {
    const broken = {
      async *logs() {
        yield line(sick, 10, "no memory");
        throw new Error("the disk is gone");
      },
    };
    expect(await logEvidence({ targets: broken, clock: systemClock }, { revision, instance: sick }, 0)).toEqual([
      ["log", "no memory"],
      ["log", "(could not be read: the disk is gone)"],
    ]);
  });
});
