import { expect, it } from "vitest";
import { environmentName, releaseId, revisionId, serviceName } from "../../../core/ids.ts";
import { revisionsOf, type Seen } from "./status.ts";

/** A container of web, as its host shows it. */
function seen(index: number, host: string, startedAt: number, status: "running" | "exited" = "running"): Seen {
  const identity = {
    revision: revisionId("rev_shop-production-web-r1"),
    product: "shop",
    environment: environmentName("production"),
    service: serviceName("web"),
    release: releaseId("rel_1"),
    configDigest: "sha256:0",
    index,
    mode: "service",
    address: `${host}:3000`,
    stopGraceMs: 1_000,
  };
  const wanted = status === "running" ? "always" : "no";
  const container = {
    Id: `${host}-${index}`,
    State: { Status: status, StartedAt: startedAt, FinishedAt: null, Pid: 1, Error: "", ExitCode: 0, OOMKilled: false },
    RestartCount: 0,
    HostConfig: { RestartPolicy: { Name: wanted }, PortBindings: {} },
  };
  return { identity, host, container, exit: null, usage: null, tunnelled: false } as unknown as Seen;
}

it("of an instance that is in two places after a host was away, only the younger is told of, and both are counted", () => {
  const all = [seen(0, "vm1", 10), seen(1, "vm2", 10), seen(1, "vm1", 90)];
  for (const order of [all, all.toReversed()]) {
    const [status] = revisionsOf(order);
    expect(status?.wanted).toBe(3);
    expect(status?.instances.map(({ index, host, address }) => [index, host, address])).toEqual([
      [0, "vm1", "vm1:3000"],
      [1, "vm1", "vm1:3000"],
    ]);
  }
  // One that runs goes before one that was stopped, however young that is.
  const [status] = revisionsOf([seen(0, "vm1", 10), seen(0, "vm2", 90, "exited")]);
  expect([status?.wanted, status?.instances.map(({ host }) => host)]).toEqual([1, ["vm1"]]);
});
