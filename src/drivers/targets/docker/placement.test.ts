import { describe, expect, test } from "vitest";
import { type Placed, place } from "./placement.ts";

const hosts = ["a", "b", "c"];
const placed = (wanted: number, present: readonly Placed[] = [], first: string | null = null, key = "x") =>
  place(wanted, { hosts, present, first, key });
const counts = (all: readonly Placed[]) =>
  hosts.map((host) => all.filter((each) => each.host === host).length).sort((one, other) => one - other);

describe("instances find their hosts:", () => {
  test("spread evenly, by as much as the number allows", () => {
    for (let wanted = 0; wanted <= 10; wanted++) {
      const all = placed(wanted);
      expect(all.map(({ index }) => index)).toEqual(Array.from({ length: wanted }, (_, i) => i));
      const [least = 0, , most = 0] = counts(all);
      expect(most - least).toBeLessThanOrEqual(1);
    }
  });

  test("who is somewhere stays, new ones fill up", () => {
    const present = [
      { index: 0, host: "b" },
      { index: 3, host: "b" },
    ];
    const all = placed(4, present);
    expect(all.filter(({ host }) => host === "b").map(({ index }) => index)).toEqual([0, 3]);
    expect(counts(all)).toEqual([1, 1, 2]);
    expect(placed(1, present)).toEqual([{ index: 0, host: "b" }]);
  });

  test("one index in two places is kept in the first that is named", () => {
    const present = [
      { index: 0, host: "c" },
      { index: 0, host: "a" },
    ];
    expect(placed(1, present)).toEqual([{ index: 0, host: "c" }]);
  });

  test("data decide; else services of one instance do not all meet on one host, and the same one stays where it was", () => {
    expect(placed(2, [], "b")).toEqual([
      { index: 0, host: "b" },
      { index: 1, host: "b" },
    ]);
    const names = Array.from({ length: 30 }, (_, i) => `production/service-${i}`);
    const homes = names.map((name) => placed(1, [], null, name)[0]?.host);
    expect(new Set(homes).size).toBe(3);
    expect(names.map((name) => placed(1, [], null, name)[0]?.host)).toEqual(homes);
  });

  test("without a host there is no place", () => {
    expect(() => place(1, { hosts: [], present: [], first: null, key: "x" })).toThrow("no host");
  });
});
