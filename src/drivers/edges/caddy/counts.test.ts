import { expect, test } from "vitest";
import { startBackend } from "../../../testing/conformance/edge/backend.ts";
import { countsOf } from "../../../testing/conformance/edge/samples.ts";
import { table, target } from "../../../testing/conformance/edge/tables.ts";
import { LogCounts } from "./counts.ts";

test("a sample that somebody keeps stays what it was when more is counted", async () => {
  const a = await startBackend("a");
  await a.close();
  const counts = new LogCounts();
  counts.routed(table(1, [target(a, 10_000)]));
  const answered = () =>
    counts.line(
      JSON.stringify({ logger: "http.log.access.counts", status: 503, duration: 0.001, up: a.address, ms: "1" }),
    );
  const nothing = new Map<string | null, number>();
  answered();
  const before = counts.sample(1, nothing);
  const kept = structuredClone(before);
  answered();
  expect(before).toEqual(kept);
  expect(countsOf(before, "a")).toMatchObject({ requests: 1, byClass: [0, 0, 0, 0, 1] });
  expect(countsOf(counts.sample(2, nothing), "a")).toMatchObject({ requests: 2, byClass: [0, 0, 0, 0, 2] });
});
