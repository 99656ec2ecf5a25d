import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, formatPercent, formatSize, parseDuration, parsePercent, parseSize } from "./units.ts";

describe("durations", () => {
  test.each([
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1d", 86_400_000],
    ["1.5s", 1_500],
    ["0s", 0],
    ["1d2h3m4s5ms", 93_784_005],
  ])("%s is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    "30",
    "s",
    "30 s",
    " 30s",
    "-1s",
    "1m1h",
    "1s1s",
    "5M",
    "1e3s",
    "30sec",
    "１s",
    "1,5s",
    "NaNs",
    "s30",
  ])("%j is refused", (text) => expect(parseDuration(text)).toBeNull());

  test("whatever is formatted parses back to the same", () => {
    fc.assert(
      fc.property(fc.nat(2_000_000_000), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test("are formatted as a person would write them", () => {
    expect([0, 250, 30_000, 90_000, 5_400_000, 86_400_000].map(formatDuration)).toEqual([
      "0s",
      "250ms",
      "30s",
      "1m30s",
      "1h30m",
      "1d",
    ]);
  });
});

describe("percentages", () => {
  test.each([
    ["0%", 0],
    ["25%", 0.25],
    ["2.5%", 0.025],
    ["7%", 0.07],
    ["100%", 1],
  ])("%s is %d", (text, ratio) => {
    expect(parsePercent(text)).toBe(ratio);
  });

  test.each(["", "25", "101%", "100.1%", "-1%", "25 %", "%", "0.25.1%"])("%j is refused", (text) =>
    expect(parsePercent(text)).toBeNull(),
  );

  test("whatever is formatted parses back to the same", () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (millionths) => {
        const ratio = Number(`${millionths}e-6`);
        expect(parsePercent(formatPercent(ratio))).toBe(ratio);
      }),
    );
  });
});

describe("sizes", () => {
  test.each([
    ["512MB", 512_000_000],
    ["512MiB", 536_870_912],
    ["10kB", 10_000],
    ["1KiB", 1024],
    ["1.5GB", 1_500_000_000],
    ["0B", 0],
    ["7B", 7],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "512", "512M", "512mb", "512 MB", "-1MB", "MB", "999999999TiB"])("%j is refused", (text) =>
    expect(parseSize(text)).toBeNull(),
  );

  test("whatever is formatted parses back to the same", () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.constantFrom(1, 1000, 1024, 1024 ** 2), (count, factor) => {
        const bytes = count * factor;
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});
