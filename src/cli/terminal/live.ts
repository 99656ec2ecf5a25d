/** A few lines at the bottom of the terminal that are drawn again in place; everything printed meanwhile goes above them. */
export class LiveLines {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  #last = "";

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  draw(lines: readonly string[]): void {
    const columns = this.#out.columns ?? 80;
    const text = lines.map((line) => cut(line, columns)).join("\n");
    if (text === this.#last) return;
    this.#last = text;
    this.#out.write(`${this.#erase()}${text}\n`);
    this.#drawn = lines.length;
  }

  /** Prints lines that stay, above the live ones. */
  print(lines: readonly string[]): void {
    this.#out.write(`${this.#erase()}${lines.join("\n")}\n`);
    this.#drawn = 0;
    this.#last = "";
  }

  /** What is drawn stays as it is. */
  done(): void {
    this.#drawn = 0;
    this.#last = "";
  }

  #erase(): string {
    return this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\u001b[0J`;
  }
}

/** A line that wraps would be drawn again one line too low: it is cut, with its colours closed. */
function cut(line: string, columns: number): string {
  let visible = 0;
  let result = "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences take no width and are kept whole.
  for (const part of line.match(/\u001b\[[0-9;]*m|./gsu) ?? []) {
    if (!part.startsWith("\u001b")) {
      visible += 1;
      if (visible > columns - 1) return `${result}…\u001b[0m`;
    }
    result += part;
  }
  return result;
}
