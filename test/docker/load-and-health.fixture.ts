import { expect } from "vitest";
import type { EnvironmentView, HistoryView } from "../../src/api/contract.ts";
import type { ServiceOverride } from "../../src/core/product/input.ts";
import { Visitors, type VisitorsOptions } from "../fixture/visitors.ts";

/** One or two instances, by what visitors ask; each is restarted soon after it is sick. */
export const elastic = {
  instances: 1,
  scale: { min: 1, max: 2, when: ["requests > 20/s"], upAfter: "1s", downAfter: "2s" },
  health: { path: "/up", interval: "100ms", timeout: "5s", deadline: "60s", restartAfter: "500ms" },
} satisfies ServiceOverride;

type Place = {
  readonly port: number;
  readonly visits?: Pick<VisitorsOptions, "path">;
  status(): Promise<EnvironmentView>;
  /** Of its environment, newest first. */
  history(): Promise<readonly HistoryView[]>;
  /** Tells an instance of web to be sick from now on. */
  sicken(): Promise<unknown>;
};

const patient = { timeout: 120_000, interval: 200 };

/**
 * More instances under load and fewer after, with every visit answered; then one that is sick, which is restarted and well again. On
 * whatever containers web runs.
 */
export async function bearsLoadAndSickness(place: Place): Promise<void> {
  const count = async (): Promise<number> => {
    const web = (await place.status()).services.find(({ service }) => service === "web");
    return web?.revisions[0]?.instances.filter(({ state }) => state === "running").length ?? 0;
  };
  await expect.poll(count, patient).toBe(1);
  const visitors = new Visitors(place.port, place.visits);
  try {
    await expect.poll(count, patient).toBe(2);
    await expect.poll(() => ended("service.scaled"), patient).toBe(1);
  } finally {
    await visitors.leave();
  }
  expect(visitors.failures).toEqual([]);
  await expect.poll(count, patient).toBe(1);
  await expect.poll(() => ended("service.scaled"), patient).toBe(2);
  await place.sicken();
  await expect.poll(() => ended("instance.restarted"), patient).toBe(1);
  expect((await place.history()).find(({ event }) => event === "instance.restarted")?.reason).toContain(
    "healthy again",
  );
  await expect.poll(count, patient).toBe(1);

  async function ended(event: string): Promise<number> {
    return (await place.history()).filter((entry) => entry.event === event).length;
  }
}
