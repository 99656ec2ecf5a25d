import pc from "picocolors";

/** Colours by meaning. Off with NO_COLOR, without a terminal, or with --json. */
export const style = {
  good: (text: string): string => pc.green(text),
  bad: (text: string): string => pc.red(text),
  warn: (text: string): string => pc.yellow(text),
  name: (text: string): string => pc.bold(text),
  quiet: (text: string): string => pc.dim(text),
  accent: (text: string): string => pc.cyan(text),
};

export const sign = { done: "✔", failed: "✖", back: "↩", running: "●", waiting: "○", warn: "!", arrow: "→" };

/** Visible width: escape sequences take none. */
export function width(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for.
  return [...text.replace(/\u001b\[[0-9;]*m/g, "")].length;
}

export function pad(text: string, to: number): string {
  return text + " ".repeat(Math.max(0, to - width(text)));
}

/** Columns lined up, two spaces between, the last one free. */
export function table(rows: readonly (readonly string[])[], indent = ""): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, index) =>
    Math.max(0, ...rows.map((row) => width(row[index] ?? ""))),
  );
  return rows.map(
    (row) =>
      indent +
      row
        .map((cell, index) => (index === row.length - 1 ? cell : pad(cell, widths[index] ?? 0)))
        .join("  ")
        .trimEnd(),
  );
}

/** `▁▂▃▅▇` of the values against the largest of them. */
export function sparkline(values: readonly number[], max = Math.max(1, ...values)): string {
  const bars = "▁▂▃▄▅▆▇█";
  return values.map((value) => bars[Math.min(bars.length - 1, Math.round((value / max) * (bars.length - 1)))]).join("");
}

export function bar(ratio: number, cells = 20): string {
  const full = Math.max(0, Math.min(cells, Math.round(ratio * cells)));
  return "█".repeat(full) + "░".repeat(cells - full);
}
