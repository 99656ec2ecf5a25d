import { describe, expect, it } from "vitest";
import { addLoads, readLoad } from "./load.ts";
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

  it("is read of Artillery 2: by codes, and by visitors whose expectations failed", () => {
    // Names: https://www.artillery.io/docs/reference/reported-metrics
    const aggregate = {
      counters: {
        "vusers.created": 600,
        "vusers.failed": 4,
        "http.requests": 600,
        "http.responses": 598,
        "http.codes.200": 590,
        "http.codes.302": 5,
        "http.codes.503": 3,
        "errors.ETIMEDOUT": 2,
      },
      rates: { "http.request_rate": 10 },
      summaries: {
        "http.response_time": { min: 1, max: 90, count: 598, mean: 9, median: 8, p50: 8, p95: 31.2, p999: 80 },
      },
    };
    expect(read({ aggregate, intermediate: [] })).toEqual({
      tool: "Artillery",
      requests: 600,
      succeeded: 595,
      perSecond: 10,
      latency: [
        { percent: 50, ms: 8 },
        { percent: 95, ms: 31.2 },
        { percent: 99.9, ms: 80 },
      ],
    });
    expect(() => read({ aggregate: { scenariosCreated: 1, counters: {} } })).toThrow("an Artillery before 2");
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
