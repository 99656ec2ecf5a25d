import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { environmentName } from "../../../core/ids.ts";
import type { Notice } from "../../../core/judge/rule/notice.ts";
import { Secret } from "../../../core/secret.ts";
import { webhookNotifier } from "./index.ts";

const notice: Notice = {
  is: "fired",
  product: "shop",
  environment: environmentName("production"),
  rule: "errors",
  text: "error ratio > 10% for 5m -> rollback",
  severity: "critical",
  reason: "error ratio is 12 %",
  actions: ["rollback"],
  startedAt: 1_700_000_000_000,
  endedAt: null,
};

/** A receiver that answers so, and keeps what it was sent. */
async function receiver(status: number) {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
    request.on("end", () => {
      response.statusCode = status;
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token-of-the-team` };
}

it("a webhook is sent a text, or what Alertmanager sends", async () => {
  const { url, bodies } = await receiver(200);
  const notifier = webhookNotifier(() => new Secret(url));
  const { signal } = new AbortController();
  await notifier.send({ urlFrom: "HOOK", format: "slack" }, notice, signal);
  await notifier.send(
    { urlFrom: "HOOK", format: "alertmanager" },
    { ...notice, is: "resolved", endedAt: 1_700_000_060_000 },
    signal,
  );
  expect(JSON.parse(bodies[0] ?? "")).toEqual({
    text: "🔴 *shop production: errors fired*\nerror ratio is 12 %\n`error ratio > 10% for 5m -> rollback`\n→ rollback",
  });
  expect(JSON.parse(bodies[1] ?? "")).toMatchObject({
    version: "4",
    status: "resolved",
    alerts: [
      {
        status: "resolved",
        labels: { alertname: "errors", severity: "critical", product: "shop", environment: "production" },
        startsAt: "2023-11-14T22:13:20.000Z",
        endsAt: "2023-11-14T22:14:20.000Z",
      },
    ],
  });
});

it("a webhook that refuses, is away or is not set is told by the name of its variable, never by its address", async () => {
  const { url } = await receiver(403);
  const { signal } = new AbortController();
  const said = async (address: string | null) => {
    const notifier = webhookNotifier(() => (address === null ? null : new Secret(address)));
    const error = await notifier
      .send({ urlFrom: "HOOK", format: "slack" }, notice, signal)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "NOTIFIER_FAILED" });
    expect(String((error as Error).message)).not.toContain("token-of-the-team");
    return (error as Error).message;
  };
  expect(await said(url)).toBe("the webhook in HOOK answered 403");
  expect(await said("http://127.0.0.1:1/token-of-the-team")).toContain("the webhook in HOOK could not be reached");
  expect(await said("not an address/token-of-the-team")).toContain("the webhook in HOOK could not be reached");
  expect(await said(null)).toBe("the variable HOOK is not set where the control plane was started");
});
