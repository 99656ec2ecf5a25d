import { fieldsOf } from "./protobuf.ts";

/** What BuildKit tells of its work, as lines for a person: each step once, what its command prints, and how it ended. */
export class Progress {
  readonly #onLine: (line: string) => void;
  readonly #said = new Set<string>();
  readonly #rests = new Map<string, string>();
  /** Steps that ran and that came from the cache, by digest. */
  readonly ran = new Set<string>();
  readonly cached = new Set<string>();

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Takes one message of the engine's trace. Throws a RangeError when it is none. */
  take(status: Buffer): void {
    for (const field of fieldsOf(status)) {
      if (field.number === 1) this.#step(field.bytes);
      if (field.number === 3) this.#output(field.bytes);
    }
  }

  #step(message: Buffer): void {
    let [digest, name, cached, started, completed, error] = ["", "", false, false, false, ""];
    for (const field of fieldsOf(message)) {
      if (field.number === 1) digest = field.bytes.toString();
      if (field.number === 3) name = field.bytes.toString();
      if (field.number === 4) cached = field.varint !== 0n;
      if (field.number === 5) started = true;
      if (field.number === 6) completed = true;
      if (field.number === 7) error = field.bytes.toString();
    }
    if (name.startsWith("[internal]") && error === "") return;
    if (started) this.#once(digest, "", name);
    if (cached) {
      this.cached.add(digest);
      this.#once(digest, "cached", `${name} (cached)`);
    } else if (completed) this.ran.add(digest);
    if (completed) this.#flush(digest);
    if (error !== "" && !error.includes("context canceled")) this.#once(digest, "error", `${name}: ${error}`);
  }

  #output(message: Buffer): void {
    let [digest, text] = ["", ""];
    for (const field of fieldsOf(message)) {
      if (field.number === 1) digest = field.bytes.toString();
      if (field.number === 4) text = field.bytes.toString();
    }
    const lines = ((this.#rests.get(digest) ?? "") + text).split(/\r?\n/);
    this.#rests.set(digest, lines.pop() ?? "");
    for (const line of lines) this.#onLine(line);
  }

  #flush(digest: string): void {
    const rest = this.#rests.get(digest) ?? "";
    this.#rests.delete(digest);
    if (rest !== "") this.#onLine(rest);
  }

  #once(digest: string, what: string, line: string): void {
    const key = `${digest} ${what}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#onLine(line);
  }
}
