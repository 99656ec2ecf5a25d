import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { restoreStore } from "../../src/cli/wire.ts";
import { checks } from "../../src/engine/commands/checks.ts";
import { Plane } from "./plane.fixture.ts";

describe("a state that knows less than what runs", () => {
  let plane: Plane;

  beforeEach(async () => {
    plane = await Plane.start({ environments: { production: {} } });
    await plane.deploy("production", await plane.version("v1"));
  });

  afterEach(() => plane.close());

  /** What runs under a number is never taken for another release of that number. */
  async function nextIsLive(number: number): Promise<void> {
    const release = await plane.version("v3");
    const row = await plane.world.store.db
      .selectFrom("release")
      .select("number")
      .where("id", "=", release)
      .executeTakeFirst();
    expect(row?.number).toBe(number);
    expect((await plane.deploy("production", release)).phase).toBe("succeeded");
    expect(await plane.visit("production")).toBe("200 v3");
    const target = (await checks(plane.world)).find(({ name }) => name === "target process");
    expect([target?.ok, target?.says]).toEqual([false, expect.stringMatching(/-web-r2.* this state does not know/)]);
    expect(target?.hint).toContain("slipway down --all");
  }

  it("because it was lost serves on, and its next release is really the one that is live", async () => {
    await plane.deploy("production", await plane.version("v2"));
    await plane.restart(async () => rmSync(join(plane.product.state, "state.db")));
    expect(await plane.visit("production")).toBe("200 v2");
    await nextIsLive(3);
  });

  it("because it ends before the switch that power was lost after goes through that switch again", async () => {
    const copy = join(plane.product.state, "copy.db");
    plane.product.behave("web", "v2", "sick");
    const id = await plane.start("production", await plane.version("v2"));
    await plane.reaches(id, "verifying");
    await plane.world.store.backup(copy);
    plane.product.behave("web", "v2", "good");
    await plane.reaches(id, "draining");
    expect(await plane.visit("production")).toBe("200 v2");
    await plane.restart(() => restoreStore({ directory: plane.product.state, from: copy }));
    const { phase, phases } = await plane.ended(id);
    expect(phase).toBe("succeeded");
    expect(phases.filter((each) => each === "shifting")).toHaveLength(1);
    expect(await plane.visit("production")).toBe("200 v2");
    await plane.expectAtRest("production");
  });

  it("because an older copy was put back goes back to what that says, and its next release is really the one that is live", async () => {
    const copy = join(plane.product.state, "copy.db");
    await plane.world.store.backup(copy);
    await plane.deploy("production", await plane.version("v2"));
    await plane.restart(() => restoreStore({ directory: plane.product.state, from: copy }));
    // The copy says that v1 is live, and so the edge is told.
    await expect.poll(() => plane.visit("production"), { timeout: 90_000 }).toBe("200 v1");
    await nextIsLive(3);
  });
});
