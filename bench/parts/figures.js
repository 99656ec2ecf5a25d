// Figures of a bench: medians, the machine it ran on, and floors as one table.
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

export const median = (numbers) => percentile(numbers, 50);

export function percentile(numbers, percent) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

/** Median of the ratios round by round, so that what else the machine does is in both sides. */
export function ratioOf(numbers, floor) {
  return median(numbers.map((each, round) => each / floor[round]));
}

/** What else the machine was doing, in a line: a figure without it says little. */
export function machine() {
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
  return `Node ${process.versions.node}, ${cpus().length} cores, load ${load}`;
}

/** A floor of the product: what was wanted, what was seen, and whether that is enough. */
export const floor = (what, wanted, seen, met) => ({ what, wanted, seen, met });

export function printFloors(floors) {
  const columns = (row) => [row.what, row.wanted, row.seen, row.met ? "met" : "missed"];
  printTable([["floor", "wanted", "seen", ""], ...floors.map(columns)]);
}

/** Columns lined up; the first row is the heads. */
export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd()}`,
    );
}
