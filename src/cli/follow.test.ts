import { stripVTControlCharacters as plain } from "node:util";
import { expect, it } from "vitest";
import type { DeploymentDetail, HistoryView, InstanceView, ServiceTraffic } from "../api/contract.ts";
import { environmentName, releaseId, revisionId, serviceName } from "../core/ids.ts";
import { stepLines, trafficLines } from "./follow.ts";

const instance = (more: Partial<InstanceView> = {}): InstanceView => ({
  id: "rev_web.0",
  host: null,
  state: "running",
  address: "127.0.0.1:3000",
  lastSeen: null,
  restarts: 0,
  healthy: true,
  cpu: null,
  memoryBytes: null,
  ...more,
});

function traffic(instances: readonly InstanceView[], limits: string | null = null): string {
  const revision = {
    revision: revisionId("rev_web"),
    release: releaseId("rel_1"),
    number: 1,
    role: "stable",
    weight: 10_000,
    instances,
    requests: 8,
    errors: 0,
  };
  const service: ServiceTraffic = { service: serviceName("web"), limits, revisions: [revision] };
  return trafficLines([service]).map(plain).join("\n");
}

it("what runs is told with its limits, with what is unhealthy, and with what is away", () => {
  expect(traffic([instance(), instance({ healthy: null })])).toBe(
    "    web  r1  stable  100 %  2 instances  8 requests",
  );
  expect(traffic([instance(), instance()], "2–4")).toContain("2 instances (2–4)  8");
  expect(traffic([instance(), instance({ healthy: false })], "2–4")).toContain("2 instances (2–4), 1 unhealthy  8");
  // Nobody knows how what is away answers.
  const away = instance({ lastSeen: Date.now() - 60_000, healthy: false });
  expect(traffic([away])).toContain("stable  100 %  1 away, last seen 1 min ago  8");
});

it("what a rule saw meanwhile, or a host that is away, is no step of the deployment, and takes none of its time", () => {
  const entry = (event: string, at: number, actor = "slipway"): HistoryView => ({
    at,
    environment: environmentName("production"),
    deployment: null,
    event,
    actor,
    reason: `${event} it is`,
    evidence: event.startsWith("host.") ? [["host", "h3"]] : [],
  });
  const history = [
    entry("deployment.queued", 0),
    entry("host.awaited", 500),
    entry("host.answers", 700),
    entry("deployment.baking", 1_000),
    entry("rule.unmeasured", 2_000, "rule backlog"),
    entry("rule.fired", 2_500, "rule errors"),
    entry("deployment.succeeded", 4_000),
  ];
  const detail = { history, canary: null, ended: true } as unknown as DeploymentDetail;
  expect(stepLines(detail, 5_000).map(plain)).toEqual([
    "  ! h3                    host.awaited it is",
    "  ✔ h3                    host.answers it is",
    "  ✔ baking        3.00 s  deployment.baking it is",
    "  ! rule backlog          rule.unmeasured it is",
    "  ✖ rule errors           rule.fired it is",
    "  ✔ succeeded             deployment.succeeded it is",
  ]);
});
