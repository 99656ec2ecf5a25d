import { describe, expect, it } from "vitest";
import { addLoads, readLoad } from "./load.ts";
import artillery from "./recorded/artillery-2.0.34.json" with { type: "json" };
import { UnreadableReport } from "./xml.ts";

const read = (report: unknown) => readLoad(JSON.stringify(report));

describe("what a load test has measured", () => {
  it("is read of autocannon: who was not answered counts, and so does a wrong answer", () => {
    // As autocannon 8.0 writes it; test/load-test.test.ts runs it.
    const report = {
      duration: 10,
      errors: 5,
      timeouts: 3,
      mismatches: 2,
      non2xx: 10,
      "1xx": 0,
      "2xx": 980,
      "3xx": 5,
      "4xx": 0,
      "5xx": 10,
      latency: { average: 2.1, stddev: 4, min: 1, max: 34, p50: 1, p90: 5, p97_5: 15, p99_999: 34, totalCount: 995 },
      requests: { average: 99, total: 995, sent: 1_000, p50: 99 },
    };
    expect(read(report)).toEqual({
      tool: "autocannon",
      requests: 1_000,
      succeeded: 983,
      perSecond: 99.5,
      latency: [
        { percent: 50, ms: 1 },
        { percent: 90, ms: 5 },
        { percent: 97.5, ms: 15 },
        { percent: 99.999, ms: 34 },
      ],
    });
  });

  it("is read of Artillery 2: by codes, by what was not captured, and by expectations that failed", () => {
    // As Artillery 2.0.34 wrote it of a hundred visitors: 104 requests with redirects, of which 5 were never answered, 15 with 503; 9 of
    // the others had nothing to capture, and 6 an answer other than expected. Ten of the 503 failed two expectations each, which count too.
    expect(read(artillery)).toEqual({
      tool: "Artillery",
      requests: 104,
      succeeded: 84 - 9 - 26,
      perSecond: (27 * 99) / 104,
      latency: [
        { percent: 50, ms: 16 },
        { percent: 75, ms: 24.8 },
        { percent: 90, ms: 37 },
        { percent: 95, ms: 43.4 },
        { percent: 99, ms: 54.1 },
        { percent: 99.9, ms: 54.1 },
      ],
    });
    expect(() => read({ aggregate: { scenariosCreated: 1, counters: {} } })).toThrow("an Artillery before 2");
  });

  it("is read of Artillery also where nobody expects anything, and where nothing was asked", () => {
    const counters = { "http.requests": 600, "http.codes.200": 590, "http.codes.302": 5, "http.codes.503": 3 };
    const lost = { ...counters, "vusers.failed": 2 };
    expect(read({ aggregate: { counters: lost, rates: { "http.request_rate": 10 } } })).toMatchObject({
      ...{ requests: 600, succeeded: 595, latency: [] },
    });
    expect(read({ aggregate: { counters: {} } })).toMatchObject({ requests: 0, succeeded: 0, perSecond: null });
  });

  it("by several is what all have seen, and the worst of their times", () => {
    const one = { tool: "x", requests: 10, succeeded: 9, perSecond: 1, latency: [{ percent: 95, ms: 3 }] };
    const two = { tool: "x", requests: 5, succeeded: 5, perSecond: null, latency: [{ percent: 95, ms: 8 }] };
    expect(addLoads(one, two)).toEqual({ ...two, requests: 15, succeeded: 14 });
  });

  it("is refused where it is something else, or counts what cannot be counted", () => {
    const latency = { p95: 1 };
    for (const report of [
      3,
      [],
      {},
      { aggregate: {} },
      { latency, requests: { total: -1 } },
      { latency, requests: { total: "9" } },
    ])
      expect(() => read(report)).toThrow(UnreadableReport);
  });
});
