import type { Evidence } from "../../../core/errors/error.ts";
import type { Secret } from "../../../core/secret.ts";

/** How many of a build's last lines are shown when it fails. */
const shownLines = 20;
const maxLineChars = 8_192;
/** A secret shorter than this would mask parts of ordinary words; a line of one that is shorter is let through. */
const minMaskedChars = 4;

/** What a build says, line by line: secrets masked, colours and other terminal signs taken out, the last lines kept. */
export class Output {
  readonly #onLine: (line: string) => void;
  readonly #masked: readonly string[];
  readonly #last: string[] = [];

  constructor(onLine: (line: string) => void, secrets: readonly Secret[]) {
    this.#onLine = onLine;
    // A secret of several lines is met line by line.
    const values = secrets.flatMap((secret) => [secret.reveal(), ...secret.reveal().split(/\r?\n/)]);
    this.#masked = [...new Set(values.map((value) => value.trim()))]
      .filter((value) => value.length >= minMaskedChars)
      .sort((a, b) => b.length - a.length);
  }

  readonly line = (text: string): void => {
    const shown = this.mask(plain(text)).slice(0, maxLineChars).trimEnd();
    if (shown === "") return;
    this.#last.push(shown);
    if (this.#last.length > shownLines) this.#last.shift();
    this.#onLine(shown);
  };

  mask(text: string): string {
    return this.#masked.reduce((masked, value) => masked.replaceAll(value, "[secret]"), text);
  }

  evidence(): Evidence[] {
    return this.#last.map((line): Evidence => ["output", line]);
  }
}

/** Without control sequences; of a line that was written over (`\r`), what was there last. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const shown = text.replace(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g, "");
  return shown.slice(shown.trimEnd().lastIndexOf("\r") + 1);
}
