import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Traffic } from "../../core/deploy/traffic.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import {
  type EnvironmentName,
  environmentName,
  instanceId,
  releaseId,
  revisionId,
  serviceName,
} from "../../core/ids.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Edge, EdgeConfig, RouteTable } from "../../ports/edge.ts";
import type { Log } from "../../ports/log.ts";
import type { Store } from "../../ports/store.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { Router } from "./router.ts";

/** An edge as far as the router speaks to it, with the rule of generations; a test says when a call fails, or waits. */
class StandInEdge {
  table: RouteTable | null = null;
  config: EdgeConfig | null = null;
  readonly calls: string[] = [];
  /** Asked before each call; what it throws, the call throws. */
  before: (call: string) => void | Promise<void> = () => {};
  /** Asked after a table is in force: a failure here is one whose outcome the caller does not know. */
  after: () => void = () => {};

  async start(config: EdgeConfig): Promise<void> {
    await this.#called("start");
    this.config = config;
  }

  async current(): Promise<RouteTable | null> {
    await this.#called("current");
    return this.table;
  }

  async apply(table: RouteTable): Promise<void> {
    await this.#called("apply");
    const isLater = this.table === null || table.generation > this.table.generation;
    if (!isLater && JSON.stringify(table) !== JSON.stringify(this.table))
      throw new SlipwayError("EDGE_REFUSED_TABLE", { message: `generation ${this.table?.generation} is in force` });
    this.table = table;
    this.after();
  }

  /** The release that takes all requests now. */
  get routesTo(): string | undefined {
    return Object.values(this.table?.services ?? {})[0]?.targets[0]?.release;
  }

  get addresses(): readonly string[] {
    const [service] = Object.values(this.table?.services ?? {});
    return (service?.targets ?? []).flatMap(({ instances }) => instances.map(({ address }) => address));
  }

  async #called(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}

const release = (number: number) => releaseId(`rel_router_${number}`);
const product = {
  name: "shop",
  services: { web: { kind: "web" as const, command: ["web"] } },
  environments: { production: { edge: { listen: "127.0.0.1:8080" } } },
};
const production = environmentName("production");
const silent: Log = { info: () => {}, warn: () => {}, error: () => {} };

let directory: string;
let store: Store;
let edge: StandInEdge;
let router: Router;
let clock: ManualClock;
let running: RevisionStatus[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-router-"));
  store = await openSqliteStore({ directory });
  for (const number of [1, 2, 3]) await insertRelease(number);
  await store.db
    .insertInto("environment")
    .values({
      product: "shop",
      name: production,
      live_release_id: null,
      locked_by: null,
      locked_reason: null,
      locked_at: null,
      traffic: "{}",
      updated_at: 0,
    })
    .execute();
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  running = [1, 2, 3].map((number) => revision(number, 3000 + number));
  edge = new StandInEdge();
  clock = new ManualClock(0);
  router = makeRouter();
  await record(1);
});

function makeRouter(): Router {
  const targets = { observe: async () => running };
  return new Router({
    store,
    targets,
    edge: edge as unknown as Edge,
    clock,
    log: silent,
    base: {} as Omit<EdgeConfig, "listeners" | "trustedProxies">,
    isHere: () => true,
  });
}

/** What a transaction of a deployment writes: all traffic of production goes to this release. */
async function record(number: number, name: EnvironmentName = production): Promise<void> {
  const traffic: Traffic = {
    routesOf: release(number),
    services: {
      [serviceName("web")]: [
        {
          revision: revisionId(`rev_${number}`),
          release: release(number),
          instances: 1,
          weight: 10_000,
          fallback: false,
        },
      ],
    },
  };
  await store.db
    .updateTable("environment")
    .set({ traffic: JSON.stringify(traffic) })
    .where("name", "=", name)
    .execute();
}

function revision(number: number, port: number): RevisionStatus {
  const id = revisionId(`rev_${number}`);
  return {
    id,
    product: "shop",
    environment: production,
    service: serviceName("web"),
    release: release(number),
    configDigest: "sha256:0",
    wanted: 1,
    instances: [
      {
        id: instanceId(id, 0),
        index: 0,
        host: null,
        state: "running",
        address: `127.0.0.1:${port}`,
        pid: 1,
        startedAt: 0,
        restarts: 0,
        lastExit: null,
        cpu: null,
        memoryBytes: null,
      },
    ],
  };
}

async function insertRelease(number: number): Promise<void> {
  const environments = { production: resolveEnvironment(product, "production") };
  await store.db
    .insertInto("release")
    .values({
      id: release(number),
      product: "shop",
      number,
      version: `0.${number}.0`,
      commit_hash: "c0ffee",
      dirty: 0,
      subject: "s",
      author: "a",
      branch: null,
      config_digest: "sha256:0",
      config: JSON.stringify({ product: "shop", environments }),
      artifacts: "{}",
      commits: "[]",
      created_at: 0,
      created_by: "a",
      pinned: 0,
      pruned_at: null,
    })
    .execute();
}

/** Calls of this kind wait until they are let go. */
function holdUp(call: string): { readonly reached: Promise<void>; letGo(): void } {
  let letGo: () => void = () => {};
  const open = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let reach: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  edge.before = (seen) => {
    if (seen !== call) return;
    reach();
    return open;
  };
  return { reached, letGo };
}

const unreachable = new SlipwayError("EDGE_UNREACHABLE", { message: "it does not answer" });
const count = (call: string): number => edge.calls.filter((seen) => seen === call).length;

describe("bringing the edge to what is recorded", () => {
  it("starts it, applies the table, and does nothing when nothing has changed", async () => {
    await router.sync();
    expect([edge.calls, edge.routesTo]).toEqual([["start", "current", "apply"], release(1)]);
    await router.sync();
    expect(edge.calls).toHaveLength(3);
  });

  it("applies a change of the record, and of an address, with a higher generation each", async () => {
    await router.sync();
    const first = edge.table?.generation ?? 0;
    await record(2);
    await router.sync();
    expect([edge.routesTo, edge.table?.generation]).toEqual([release(2), first + 1]);
    running = running.map((each) => (each.id === "rev_2" ? revision(2, 4000) : each));
    await router.sync();
    expect(edge.table?.generation).toBe(first + 2);
    expect(count("start")).toBe(1);
  });

  it("goes on from the table that an earlier control plane applied", async () => {
    await router.sync();
    await record(2);
    await router.sync();
    const generation = edge.table?.generation ?? 0;
    router = makeRouter();
    await router.sync();
    expect(edge.table?.generation).toBe(generation);
    await record(3);
    await router.sync();
    expect([edge.routesTo, edge.table?.generation]).toEqual([release(3), generation + 1]);
  });

  it("takes what was just seen for what runs, and only once", async () => {
    router.saw([revision(1, 3001)]);
    running = [revision(1, 3999)];
    await router.sync();
    expect(edge.addresses).toEqual(["127.0.0.1:3001"]);
    await router.sync();
    expect(edge.addresses).toEqual(["127.0.0.1:3999"]);
  });

  it("looks by itself when that is old, or lacks what has traffic", async () => {
    router.saw([revision(1, 3001)]);
    running = [revision(1, 3999)];
    clock.advance(200);
    await router.sync();
    expect(edge.addresses).toEqual(["127.0.0.1:3999"]);
    router.saw([revision(2, 3002)]);
    running = [revision(1, 4000)];
    await router.sync();
    expect(edge.addresses).toEqual(["127.0.0.1:4000"]);
  });

  it("applies everything again after it was told to forget", async () => {
    await router.sync();
    edge.table = null;
    router.forget();
    await router.sync();
    expect([edge.routesTo, count("start")]).toEqual([release(1), 2]);
  });

  it("applies everything again when it was told to forget while it was applying", async () => {
    await record(1);
    const held = holdUp("apply");
    const first = router.sync();
    await held.reached;
    // The edge that takes this table dies, and another one is there that has none.
    router.forget();
    held.letGo();
    await first;
    edge.table = null;
    await router.sync();
    expect(edge.routesTo).toBe(release(1));
  });
});

describe("asked whether the table in force still leads to what runs", () => {
  it("says yes as long as what it routes stays where it is, whatever else comes and goes", async () => {
    await router.sync();
    expect(router.routesTo(running)).toBe(true);
    expect(router.routesTo([revision(1, 3001), revision(3, 4000)])).toBe(true);
  });

  it("says no when an instance is elsewhere, stopped or gone", async () => {
    await router.sync();
    const [first] = running;
    const stopped = { ...first!, instances: first!.instances.map((each) => ({ ...each, state: "stopped" as const })) };
    expect([[revision(1, 4000)], [stopped], []].map((seen) => router.routesTo(seen))).toEqual([false, false, false]);
  });

  it("says no while it does not know: before the first table, while one is applied, and after a failure", async () => {
    expect(router.routesTo(running)).toBe(false);
    const { reached, letGo } = holdUp("apply");
    const syncing = router.sync();
    await reached;
    expect(router.routesTo(running)).toBe(false);
    letGo();
    await syncing;
    await record(2);
    edge.before = () => {
      throw unreachable;
    };
    await expect(router.sync()).rejects.toThrow(unreachable);
    expect(router.routesTo(running)).toBe(false);
  });
});

describe("calls that come while one is under way", () => {
  it("share one more, which sees what was recorded before they came", async () => {
    await router.sync();
    const { reached, letGo } = holdUp("apply");
    await record(2);
    const first = router.sync();
    await reached;
    await record(3);
    const [second, third] = [router.sync(), router.sync()];
    letGo();
    await first;
    await Promise.all([second, third]);
    expect([edge.routesTo, count("apply")]).toEqual([release(3), 3]);
  });

  it("are not failed by that one", async () => {
    await router.sync();
    const { reached, letGo } = holdUp("apply");
    await record(2);
    const first = router.sync();
    const failed = expect(first).rejects.toBe(unreachable);
    await reached;
    const second = router.sync();
    edge.before = () => {};
    edge.after = () => {
      edge.after = () => {};
      throw unreachable;
    };
    letGo();
    await failed;
    await second;
    expect(edge.routesTo).toBe(release(2));
  });

  it("never leave the edge behind, however many there are and whenever they come", async () => {
    await router.sync();
    const waiting: Promise<void>[] = [];
    for (let step = 0; step < 30; step += 1) {
      const number = (step % 3) + 1;
      await record(number);
      waiting.push(router.sync().then(() => expect(edge.table?.generation).toBeGreaterThan(0)));
      if (step % 4 === 0) await waiting.at(-1);
    }
    await record(2);
    await router.sync();
    expect(edge.routesTo).toBe(release(2));
    await Promise.all(waiting);
  });
});

describe("after a failure", () => {
  it("the next call succeeds", async () => {
    edge.before = () => {
      throw unreachable;
    };
    await expect(router.sync()).rejects.toBe(unreachable);
    edge.before = () => {};
    await router.sync();
    expect(edge.routesTo).toBe(release(1));
  });

  it("whose outcome is not known, another truth is applied all the same", async () => {
    await router.sync();
    await record(2);
    edge.after = () => {
      throw unreachable;
    };
    await expect(router.sync()).rejects.toBe(unreachable);
    edge.after = () => {};
    // The table with release 2 is in force, under the generation that the router would give next.
    await record(3);
    await router.sync();
    expect(edge.routesTo).toBe(release(3));
  });

  it("of asking what is in force, the generation still rises above it", async () => {
    await router.sync();
    await record(2);
    await router.sync();
    await record(3);
    router = makeRouter();
    edge.before = (call) => {
      if (call === "current") throw unreachable;
    };
    await expect(router.sync()).rejects.toBe(unreachable);
    edge.before = () => {};
    await router.sync();
    expect(edge.routesTo).toBe(release(3));
  });
});

describe("a close", () => {
  it("waits for what was ordered besides, and nothing is ordered any more", async () => {
    await router.sync();
    let go = (): void => {};
    edge.before = () => new Promise((resolve) => (go = resolve));
    const renewed = router.renew();
    await expect.poll(() => edge.calls.filter((call) => call === "start").length).toBe(2);
    let isClosed = false;
    const closed = router.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isClosed).toBe(false);
    go();
    await Promise.all([renewed, closed]);
    const before = edge.calls.length;
    for (const late of [router.renew(), router.sync()]) await expect(late).rejects.toThrow("closed");
    expect(edge.calls.length).toBe(before);
  });
});
