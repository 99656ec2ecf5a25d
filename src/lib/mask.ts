/** Shorter values are in every text by chance: they are not masked. */
export const shortestMasked = 4;
/** Of a value of several lines, such as a key, each line of at least this length is masked by itself too. */
const shortestLine = 8;

export const maskText = "***";
const mask = Buffer.from(maskText);

/**
 * Takes secrets out of a stream of bytes, in every form in which they commonly come: as they are, in base64 and base64url at
 * any offset, percent-encoded, escaped for JSON, and in hex. What comes out does not depend on how the stream is cut into
 * chunks. Everything else passes unchanged. What is split by other text, or encoded twice, is not found.
 */
export class Masker {
  readonly #forms: readonly Buffer[];
  readonly #longest: number;
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes at the start of `#rest` that belong to a secret whose mask has been written. */
  #hidden = 0;

  constructor(secrets: readonly string[]) {
    this.#forms = formsOf(secrets);
    this.#longest = Math.max(0, ...this.#forms.map(({ length }) => length));
  }

  /** What is sure of the stream so far; the last bytes may have to wait for the next. */
  push(chunk: Buffer): Buffer {
    return this.#take(chunk, Math.max(0, this.#longest - 1));
  }

  /** What was held back: the stream has ended. */
  flush(): Buffer {
    return this.#take(Buffer.alloc(0), 0);
  }

  #take(chunk: Buffer, held: number): Buffer {
    if (this.#forms.length === 0) return chunk;
    const work = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = Math.max(0, work.length - held);
    const out: Buffer[] = [];
    let hidden = this.#hidden;
    for (const { from, to } of findings(work, this.#forms, end)) {
      if (from >= hidden) {
        out.push(work.subarray(hidden, from), mask);
        hidden = to;
      } else hidden = Math.max(hidden, to);
    }
    if (hidden < end) out.push(work.subarray(hidden, end));
    this.#rest = work.subarray(end);
    this.#hidden = Math.max(0, hidden - end);
    return Buffer.concat(out);
  }
}

/** The text without secrets, whole. */
export function masked(text: string, secrets: readonly string[]): string {
  const masker = new Masker(secrets);
  return Buffer.concat([masker.push(Buffer.from(text)), masker.flush()]).toString("utf8");
}

/** Where a form begins before `end`, from the first to the last; the longest of those that begin together. */
function* findings(
  work: Buffer,
  forms: readonly Buffer[],
  end: number,
): Generator<{ readonly from: number; readonly to: number }> {
  const next = forms.map((form) => work.indexOf(form));
  for (;;) {
    let from = end;
    let to = 0;
    for (const [index, at] of next.entries()) {
      if (at === -1 || at > from || at >= end) continue;
      const until = at + (forms[index] as Buffer).length;
      to = at < from ? until : Math.max(to, until);
      from = at;
    }
    if (from >= end) return;
    yield { from, to };
    for (const [index, at] of next.entries())
      if (at === from) next[index] = work.indexOf(forms[index] as Buffer, at + 1);
  }
}

function formsOf(secrets: readonly string[]): readonly Buffer[] {
  const values = secrets.flatMap((secret) => [
    secret,
    ...(/\n/.test(secret) ? secret.split(/\r?\n/).filter((line) => line.length >= shortestLine) : []),
  ]);
  const texts = values.filter((value) => value.length >= shortestMasked).flatMap(encodings);
  return [...new Set(texts)].filter((text) => text.length >= shortestMasked).map((text) => Buffer.from(text, "utf8"));
}

function encodings(value: string): string[] {
  const bytes = Buffer.from(value, "utf8");
  const hex = bytes.toString("hex");
  const percent = encodeURIComponent(bytes.toString("utf8"));
  const strict = percent.replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const json = JSON.stringify(value).slice(1, -1);
  return [
    value,
    ...[percent, strict].flatMap((text) => [
      text,
      text.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      text.replaceAll("%20", "+"),
    ]),
    json,
    json.replaceAll("/", "\\/"),
    json.replaceAll(/[^\u0020-\u007e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((before) => base64Within(bytes, before)),
  ];
}

/** The characters that the value alone decides when it comes after `before` other bytes, of every three. */
function base64Within(bytes: Buffer, before: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  const part = whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  return [part, part.replaceAll("+", "-").replaceAll("/", "_")];
}
