import { describe, expect, it } from "vitest";
import { run } from "./run.ts";
import { SimDatabase } from "./store.ts";
import { tell } from "./story.ts";

/** A few seconds on a quiet machine. Many more are run by hand: npm run sim. */
const runs = 300;
/** For a busy one. */
const patienceMs = 300_000;

/**
 * The clock set in a bake, leftovers of hosts that were away, requests cut off at what was warm, a way back that fails twice, a way back
 * that is refused for a moment, rollbacks in a row, the clock set back under a sick instance, the moment between the start of what hosts
 * had refused and its first answer, an edge that is away since a way back has failed, a rule that fires while another release starts, an
 * exit from before the clock was set back, a rule whose release to go back to turns out bad, what is said of a release after its end, an edge
 * that is away when a service has grown, a deployment that is called off while its first traffic moves and a host is lost,
 * and a candidate that ends while a sick stable is waited for.
 */
const mended = [
  386, 260, 1209, 1368, 5651, 2267, 1503, 700_302, 700_805, 537, 902_652, 904_799, 904_067, 901_626, 908_286, 3_000_347,
];

describe("simulated worlds", () => {
  it("have one course for one seed, to the last line, whatever came before in the same process", async () => {
    const database = await SimDatabase.open();
    const first = await tell(11, database, { trace: true });
    await tell(12, database, { trace: false });
    const again = await tell(11, database, { trace: true });
    expect(first.trace.length).toBeGreaterThan(100);
    expect(again.trace).toEqual(first.trace);
    expect((await tell(13, database, { trace: true })).trace).not.toEqual(first.trace);
  });

  it("hold what they were seen to break before", { timeout: patienceMs }, async () => {
    const database = await SimDatabase.open();
    for (const seed of mended)
      expect([seed, (await tell(seed, database, { trace: false })).broken]).toEqual([seed, []]);
  });

  it("break no promise, with control planes that die and hosts, edges and disks that fail", {
    timeout: patienceMs,
  }, async () => {
    const { broken, tally, deployments } = await run({ runs, seed: 1, workers: 2 });
    expect(broken.map(({ seed, broken: what }) => [seed, what])).toEqual([]);
    expect(deployments).toBeGreaterThanOrEqual(runs);
    // What has no occasion to be broken has not been tried.
    expect(tally["control planes killed"]).toBeGreaterThan(runs / 10);
    expect(tally["instances restarted"]).toBeGreaterThan(0);
    expect(tally["grown with the load"]).toBeGreaterThan(0);
    expect(tally["shrunk with the load"]).toBeGreaterThan(0);
    expect(tally["lost hosts replaced"]).toBeGreaterThan(0);
    expect(tally["taken back by a rule"]).toBeGreaterThan(0);
    expect(tally["rules that only said so"]).toBeGreaterThan(0);
    for (const end of ["succeeded", "failed", "rolled-back", "cancelled"])
      expect(tally[`ended ${end}`]).toBeGreaterThan(0);
  });
});
