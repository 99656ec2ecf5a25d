import { stripVTControlCharacters } from "node:util";

/** A watcher is woken at most this often by what steps print. */
const newsMs = 200;
const longestLine = 500;

export type LiveStep = { readonly lastLine: string; readonly bytes: number };

/** What steps under way have printed last. In memory only: it is of no use after them. */
export class LiveSteps {
  readonly #steps = new Map<string, LiveStep>();
  readonly #news: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(news: () => void) {
    this.#news = news;
  }

  of(run: string, number: number): LiveStep | null {
    return this.#steps.get(`${run}/${number}`) ?? null;
  }

  printed(run: string, number: number, chunk: Buffer): void {
    const before = this.#steps.get(`${run}/${number}`);
    const lines = plain(chunk.subarray(-4 * longestLine).toString("utf8"))
      .split(/\r?\n|\r/)
      .filter((line) => line.trim() !== "");
    const lastLine = lines.at(-1)?.slice(0, longestLine) ?? before?.lastLine ?? "";
    this.#steps.set(`${run}/${number}`, { lastLine, bytes: (before?.bytes ?? 0) + chunk.length });
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#news();
    }, newsMs).unref();
  }

  ended(run: string, number: number): void {
    this.#steps.delete(`${run}/${number}`);
  }
}

/** Without colours and other signs to a terminal. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/(?![\n\r\t])\p{Cc}/gu, "");
}
