import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentDetail, StatusView } from "../src/api/contract.ts";
import { newId } from "../src/cli/new-id.ts";
import { deploy, ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";
import { Visitors } from "./fixture/visitors.ts";

/** More boundaries than any deployment has: the loop must end by itself before. */
const maxBoundaries = 150;

/**
 * Kills the control plane at the n-th boundary between record and perform of a deployment, for every n, and starts it again:
 * each time the deployment must end as it would have, with one release at 100 %, and no visitor must notice.
 */
describe("a control plane that is killed at every boundary of a deployment", () => {
  let product: TestProduct;
  let plane: Plane;
  let visitors: Visitors;
  let crashFile: string;
  const releases: Record<string, string> = {};

  beforeAll(async () => {
    product = await makeProduct({ strategy: "canary" });
    product.commit("one", "good");
    crashFile = `${product.directory}.crash-at`;
    writeFileSync(crashFile, "0");
    plane = await startPlane(product, { crashFile });
    releases.one = await release(plane, product);
    product.commit("two", "good");
    releases.two = await release(plane, product);
    // All at once, so that it is also killed where all traffic is on what has to go back.
    product.commit("broken", "errors", { strategy: "blue-green" });
    releases.broken = await release(plane, product);
    expect((await ended(plane, await deploy(plane, releases.one))).phase).toBe("succeeded");
    visitors = new Visitors(product.port, { everyMs: 10 });
  });

  afterAll(async () => {
    await visitors.leave();
    await tearDown(product, plane);
    rmSync(crashFile);
  });

  /** Deploys with a kill at the boundary. Not killed when the deployment was over before that boundary came. */
  async function deployWithCrash(
    version: string,
    crashAt: number,
  ): Promise<{ killed: boolean; detail: DeploymentDetail }> {
    writeFileSync(crashFile, String(crashAt));
    const id = newId("dep");
    const ask = () => deploy(plane, releases[version] ?? "", id);
    const first = await ask().then(
      () => ended(plane, id).catch(() => null),
      () => null,
    );
    writeFileSync(crashFile, "0");
    // When it has ended, what follows the end (pruning) may still meet the boundary: the next one starts from a kill too.
    if (first !== null) plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(product, { crashFile });
    // Killed before it has answered, it may have recorded what it was asked for: who asks again begins nothing twice.
    expect(await ask()).toBe(id);
    return { killed: first === null, detail: first ?? (await ended(plane, id)) };
  }

  async function production(): Promise<StatusView["environments"][number]> {
    const { environments } = await plane.client.get<StatusView>("/v1/status");
    const [only] = environments;
    if (only === undefined) throw new Error("production is gone");
    return only;
  }

  it("ends with the new release live when the release is good: a canary, which has every phase there is", async () => {
    let kills = 0;
    for (let crashAt = 1; crashAt < maxBoundaries; crashAt += 1) {
      const version = crashAt % 2 === 1 ? "two" : "one";
      const { killed, detail } = await deployWithCrash(version, crashAt);
      expect(detail.phase, `killed at boundary ${crashAt}: ${detail.reason}`).toBe("succeeded");
      const environment = await production();
      expect(environment.live?.id).toBe(releases[version]);
      const web = environment.services.find((service) => service.service === "web");
      expect(
        web?.revisions.filter((revision) => revision.weight === 10_000).map((revision) => revision.release),
      ).toEqual([releases[version]]);
      if (!killed) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(20);
    expect(visitors.failures).toEqual([]);
  }, 900_000);

  it("ends with the old release live when the release is taken back", async () => {
    const before = (await production()).live?.id;
    let kills = 0;
    for (let crashAt = 1; crashAt < maxBoundaries; crashAt += 1) {
      const { killed, detail } = await deployWithCrash("broken", crashAt);
      expect(detail.phase, `killed at boundary ${crashAt}: ${detail.reason}`).toBe("rolled-back");
      expect((await production()).live?.id).toBe(before);
      if (!killed) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(20);
    expect(visitors.failures).toEqual([]);
  }, 900_000);
});
