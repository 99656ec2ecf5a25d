/** Lines around what differs. */
const around = 3;
/** Longer texts are compared as a whole: what is written is far shorter. */
const maxCells = 9_000_000;

type Line = { readonly is: " " | "-" | "+"; readonly text: string };

/** What to take away from one text and what to add to come to the other, as `diff -u` shows it. Empty: they are equal. */
export function diffLines(before: string, after: string): readonly string[] {
  const lines = compared(before.split("\n"), after.split("\n"));
  const touched = lines.flatMap((line, index) => (line.is === " " ? [] : [index]));
  const out: string[] = [];
  let shown = -1;
  for (const index of touched) {
    const from = Math.max(shown + 1, index - around);
    if (from > shown + 1 || (shown === -1 && from > 0))
      out.push(`@@ line ${lines.slice(0, from).filter(({ is }) => is !== "+").length + 1}`);
    const next = touched.find((other) => other > index) ?? Number.POSITIVE_INFINITY;
    const to = Math.min(lines.length - 1, index + around, next - 1);
    for (const { is, text } of lines.slice(from, to + 1)) out.push(`${is}${text}`);
    shown = to;
  }
  return out;
}

function compared(before: readonly string[], after: readonly string[]): readonly Line[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (text: string): Line => ({ is: " ", text });
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** By the longest common subsequence. */
function middle(before: readonly string[], after: readonly string[]): readonly Line[] {
  const taken = (text: string): Line => ({ is: "-", text });
  const added = (text: string): Line => ({ is: "+", text });
  if (before.length * after.length > maxCells) return [...before.map(taken), ...after.map(added)];
  const width = after.length + 1;
  const longest = new Uint32Array((before.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row--)
    for (let column = after.length - 1; column >= 0; column--)
      longest[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const lines: Line[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    const [old, fresh] = [before[row], after[column]];
    if (old !== undefined && old === fresh) {
      lines.push({ is: " ", text: old });
      row++;
      column++;
    } else if (old !== undefined && (fresh === undefined || at(row + 1, column) >= at(row, column + 1))) {
      lines.push(taken(old));
      row++;
    } else {
      lines.push(added(fresh ?? ""));
      column++;
    }
  }
  return lines;
}
