import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { startPrometheus } from "../../testing/databases/servers.ts";
import { cloudWatchMetric } from "./cloudwatch/index.ts";
import { jsonMetric } from "./json/index.ts";
import { prometheusMetric } from "./prometheus/index.ts";

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

type Answer = { readonly status?: number; readonly body: string };
type Asked = { readonly request: IncomingMessage; readonly body: string };

async function answering(answer: (asked: Asked) => Answer | null): Promise<URL> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const said = answer({ request, body });
    if (said === null) return;
    response.statusCode = said.status ?? 200;
    response.end(said.body);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
}

describe("Prometheus", () => {
  it("gives the number of a query, and what is no number is unknown", async () => {
    const prometheus = await startPrometheus();
    onTestFinished(() => prometheus.down());
    const url = new URL(`http://127.0.0.1:${prometheus.port}`);
    const ask = (query: string) => prometheusMetric({ url, query, headers: {} }).read(soon());
    expect(await ask("1.5 + 2")).toEqual({ is: "pass", saw: "3.5", values: { value: 3.5 } });
    expect(await ask("vector(7)")).toMatchObject({ values: { value: 7 } });
    expect(await ask("0/0")).toEqual({ is: "unknown", saw: "the query gives NaN" });
    expect(await ask("1/0")).toEqual({ is: "unknown", saw: "the query gives +Inf" });
    expect(await ask("up{job='nowhere'}")).toEqual({ is: "unknown", saw: "the query gives nothing" });
    expect(await ask("vector(1) or label_replace(vector(2), 'a', 'b', '', '')")).toMatchObject({ is: "unknown" });
    expect(await ask("up[1m]")).toEqual({ is: "unknown", saw: "the query gives a matrix; one number is needed" });
    expect(await ask("sum(")).toMatchObject({
      is: "unknown",
      saw: expect.stringMatching(/^it refuses: .*parse error/),
    });
    await expect.poll(async () => (await ask("sum(up)")).values?.value, { timeout: 30_000 }).toBe(1);
    await prometheus.kill();
    await expect(ask("1")).rejects.toThrow("connection refused");
  });

  it("that lies, is old, floods or hangs leaves the metric unknown", async () => {
    const result = (value: unknown) =>
      JSON.stringify({ status: "success", data: { resultType: "vector", result: [{ metric: {}, value }] } });
    const now = Date.now() / 1000;
    const lies = [
      ...[
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        '{"status":"success"}',
        '{"status":"success","data":{"resultType":"vector","result":3}}',
      ],
      ...[
        result([now, 5]),
        result([now, ""]),
        result([now, "many"]),
        result(["now", "5"]),
        result(null),
        result([now - 900, "5"]),
        result([now + 900, "5"]),
      ],
      "x".repeat(2_000_000),
    ];
    for (const body of lies) {
      const url = await answering(() => ({ body }));
      expect((await prometheusMetric({ url, query: "up", headers: {} }).read(soon())).is, body.slice(0, 80)).toBe(
        "unknown",
      );
    }
    const saw = async (answer: Answer) => {
      const url = await answering(() => answer);
      return prometheusMetric({ url, query: "up", headers: {} }).read(soon());
    };
    expect(await saw({ status: 503, body: result([now, "5"]) })).toEqual({ is: "unknown", saw: "it answered 503" });
    expect(await saw({ body: result([now + 3600, "5"]) })).toEqual({
      is: "unknown",
      saw: "the query gives 5, of 1h from now: its clock is wrong, or ours",
    });
    expect(await saw({ body: "<html>\n  <b>Log in</b>" })).toEqual({
      is: "unknown",
      saw: "it answered 200, and not as a Prometheus: <html> <b>Log in</b>",
    });
    // A minute is what clocks differ by.
    expect(await saw({ body: result([now + 60, "5"]) })).toMatchObject({ values: { value: 5 } });
    const hanging = await answering(() => null);
    const asked = prometheusMetric({ url: hanging, query: "up", headers: {} }).read(AbortSignal.timeout(50));
    await expect(asked).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("JSON", () => {
  it("is read at a path, and what is not there or no number is unknown", async () => {
    const body = JSON.stringify({
      data: { queues: [{ length: 12 }, { length: "7.5" }], ok: true, name: "x", nothing: null },
    });
    const url = await answering(({ request }) => ({ status: request.headers["x-key"] === "k" ? 200 : 403, body }));
    const at = async (path: string, headers: Record<string, string> = { "x-key": "k" }) =>
      jsonMetric({ url, headers, path }).read(soon());
    expect(await at("data.queues[0].length")).toEqual({ is: "pass", saw: "12", values: { value: 12 } });
    expect(await at("data.queues.1.length")).toMatchObject({ values: { value: 7.5 } });
    expect(await at("data.ok")).toMatchObject({ values: { value: 1 } });
    for (const path of [
      "data.name",
      "data.nothing",
      "data",
      "data.queues[2].length",
      "__proto__.x",
      "data.queues.length.x",
    ])
      expect((await at(path)).is, path).toBe("unknown");
    expect(await at("data.ok", {})).toEqual({ is: "unknown", saw: "it answered 403" });
  });
});

describe("CloudWatch", () => {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "token" };
  const options = {
    region: "eu-central-1",
    namespace: "AWS/ApplicationELB",
    metric: "TargetResponseTime",
    dimensions: { LoadBalancer: "app/shop/1" },
    statistic: "p95",
    periodMs: 60_000,
    credentials,
  };
  const metadata = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>";
  const response = (values: string, times: string) =>
    `<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult><MetricDataResults><member><Id>value</Id><Label>TargetResponseTime</Label><Timestamps>${times}</Timestamps><Values>${values}</Values><StatusCode>Complete</StatusCode></member></MetricDataResults></GetMetricDataResult>${metadata}</GetMetricDataResponse>`;

  it("is asked by a signed request, and gives its newest value", async () => {
    const asked: Asked[] = [];
    const endpoint = await answering((one) => {
      asked.push(one);
      const times = "<member>2026-01-01T00:02:00Z</member><member>2026-01-01T00:01:00Z</member>";
      return { body: response("<member>0.25</member><member>0.5</member>", times) };
    });
    expect(await cloudWatchMetric({ ...options, endpoint }, () => Date.UTC(2026, 0, 1)).read(soon())).toEqual({
      is: "pass",
      saw: "0.25 at 2026-01-01T00:02:00Z",
      values: { value: 0.25 },
    });
    const form = new URLSearchParams(asked[0]?.body);
    expect(Object.fromEntries(form)).toMatchObject({
      Action: "GetMetricData",
      "MetricDataQueries.member.1.MetricStat.Stat": "p95",
      "MetricDataQueries.member.1.MetricStat.Period": "60",
      "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name": "LoadBalancer",
      EndTime: "2026-01-01T00:00:00.000Z",
    });
    expect(asked[0]?.request.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20260101\/eu-central-1\/monitoring\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
    );
  });

  it("that has no value, refuses, or is something else leaves the metric unknown", async () => {
    const refusal =
      "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>";
    const answers: Answer[] = [
      { body: response("", "") },
      { status: 403, body: refusal },
      { body: "<html>" },
      { body: response("<member>NaN</member>", "") },
    ];
    const saw: string[] = [];
    for (const answer of answers) {
      const endpoint = await answering(() => answer);
      const outcome = await cloudWatchMetric({ ...options, endpoint }).read(soon());
      expect(outcome.is).toBe("unknown");
      saw.push(outcome.saw);
    }
    expect(saw[1]).toBe(
      "it refuses (403 InvalidClientTokenId): The security token included in the request is invalid.",
    );
  });
});
