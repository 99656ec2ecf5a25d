/** What a step prints, with its colours: pieces of text, each with how it is to look. Nothing else that a terminal would do is done. */
export type Look = {
  /** One of sixteen, by its number, or a colour that was said in full. */
  readonly colour: number | string | null;
  readonly background: number | string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
};
export type Piece = { readonly text: string; readonly look: Look };
export type Line = readonly Piece[];

export const plain: Look = {
  colour: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they are
const escapes = /\u001b(?:\[([0-9;:]*)([A-Za-z])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what prints nothing
const silent = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** Reads a log as it comes, piece by piece: a line that is not over yet is the last one, and is read again with what follows. */
export class LogLines {
  readonly #most: number;
  #lines: Line[] = [];
  #rest = "";
  #look = plain;
  /** Lines that were too many, the oldest. */
  left = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const read = readLine(line, this.#look);
      this.#look = read.look;
      this.#lines.push(read.line);
    }
    const over = this.#lines.length - this.#most;
    if (over <= 0) return;
    this.#lines = this.#lines.slice(over);
    this.left += over;
  }

  all(): readonly Line[] {
    return this.#rest === "" ? this.#lines : [...this.#lines, readLine(this.#rest, this.#look).line];
  }
}

/** One line, from how the one before has left things. What was printed before a carriage return is written over. */
export function readLine(text: string, look: Look): { readonly line: Line; readonly look: Look } {
  const kept = text.endsWith("\r") ? text.slice(0, -1) : text;
  let now = look;
  let line: Piece[] = [];
  let at = 0;
  const print = (printed: string): void => {
    const last = printed.lastIndexOf("\r");
    if (last >= 0) line = [];
    const shown = printed.slice(last + 1).replace(silent, "");
    if (shown !== "") line.push({ text: shown, look: now });
  };
  for (const found of kept.matchAll(escapes)) {
    print(kept.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") now = changed(now, (found[1] ?? "").split(/[;:]/).map(Number));
  }
  print(kept.slice(at));
  return { line, look: now };
}

function changed(look: Look, codes: readonly number[]): Look {
  let next = look;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, used] = longColour(codes.slice(index + 1));
      next = { ...next, [code === 38 ? "colour" : "background"]: colour };
      index += used;
    } else next = { ...next, ...single(code) };
  }
  return next;
}

function single(code: number): Partial<Look> {
  if (code >= 30 && code <= 37) return { colour: code - 30 };
  if (code >= 90 && code <= 97) return { colour: code - 82 };
  if (code >= 40 && code <= 47) return { background: code - 40 };
  if (code >= 100 && code <= 107) return { background: code - 92 };
  switch (code) {
    case 0:
      return plain;
    case 1:
      return { bold: true };
    case 2:
      return { dim: true };
    case 3:
      return { italic: true };
    case 4:
      return { underline: true };
    case 22:
      return { bold: false, dim: false };
    case 23:
      return { italic: false };
    case 24:
      return { underline: false };
    case 39:
      return { colour: null };
    case 49:
      return { background: null };
    default:
      return {};
  }
}

const levels = [0, 95, 135, 175, 215, 255];

/** `5;208` and `2;255;120;0`: the colour, and how many numbers said it. */
function longColour([kind, ...rest]: readonly number[]): readonly [Look["colour"], number] {
  if (kind === 2) return [`rgb(${rest.slice(0, 3).map(byte).join(" ")})`, 4];
  const index = byte(rest[0]);
  if (kind !== 5) return [null, 1];
  if (index < 16) return [index, 2];
  if (index >= 232)
    return [
      `rgb(${Array(3)
        .fill(8 + (index - 232) * 10)
        .join(" ")})`,
      2,
    ];
  const cube = index - 16;
  const parts = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => levels[part] ?? 0);
  return [`rgb(${parts.join(" ")})`, 2];
}

const byte = (value: number | undefined): number => Math.min(255, Math.max(0, Math.trunc(value ?? 0) || 0));
