/**
 * In base64 a value may share the character before it, and the one after it, with what is beside it. `leads`: whether it does the first;
 * `pads`: so many `=` follow the second at most. 0: it does not.
 */
type Shared = { readonly leads: 0 | 1; readonly pads: number };
type Form = Shared & { readonly bytes: Buffer };

/** Shorter values are in every text by chance: they are not masked. */
export const shortestMasked = 4;
/** Of a value of several lines, such as a key, each line of at least this length is masked by itself too. */
const shortestLine = 8;

export const maskText = "***";
const mask = Buffer.from(maskText);

/**
 * Takes secrets out of a stream of bytes, in every form in which they commonly come: as they are, in base64 and base64url at
 * any offset, percent-encoded, escaped for JSON, and in hex. What comes out does not depend on how the stream is cut into
 * chunks. Everything else passes unchanged. What is split by other text, or encoded twice, is not found. In base64 the characters that a
 * secret shares with what is before and after it go with it, and so does the padding.
 */
export class Masker {
  readonly #forms: readonly Form[];
  readonly #longest: number;
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes at the start of `#rest` that belong to a secret whose mask has been written. */
  #hidden = 0;

  constructor(secrets: readonly string[]) {
    this.#forms = formsOf(secrets);
    this.#longest = Math.max(
      0,
      ...this.#forms.map(({ leads, bytes, pads }) => leads + bytes.length + (pads === 0 ? 0 : 1 + pads)),
    );
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
function* findings(work: Buffer, forms: readonly Form[], end: number): Generator<Found> {
  const next = forms.map((form) => find(form, work, 0));
  for (;;) {
    let first: Found | null = null;
    for (const found of next) {
      if (found === null || found.from >= end) continue;
      if (first === null || found.from < first.from) first = found;
      else if (found.from === first.from && found.to > first.to) first = found;
    }
    if (first === null) return;
    yield first;
    for (const [index, found] of next.entries())
      if (found?.from === first.from) next[index] = find(forms[index] as Form, work, found.at + 1);
  }
}

type Found = { readonly at: number; readonly from: number; readonly to: number };

function find(form: Form, work: Buffer, after: number): Found | null {
  const at = work.indexOf(form.bytes, after);
  if (at === -1) return null;
  return { at, from: form.leads === 1 && isBase64(work[at - 1]) ? at - 1 : at, to: endOf(form, work, at) };
}

function endOf({ bytes, pads }: Form, work: Buffer, at: number): number {
  let end = at + bytes.length;
  if (pads === 0 || !isBase64(work[end])) return end;
  end += 1;
  for (let pad = 0; pad < pads && work[end] === equalsSign; pad += 1) end += 1;
  return end;
}

const equalsSign = "=".charCodeAt(0);

function isBase64(byte: number | undefined): boolean {
  return byte !== undefined && /[A-Za-z0-9+/_-]/.test(String.fromCharCode(byte));
}

function formsOf(secrets: readonly string[]): readonly Form[] {
  const values = secrets
    .flatMap((secret) => [
      secret,
      ...(/\n/.test(secret) ? secret.split(/\r?\n/).filter((line) => line.length >= shortestLine) : []),
    ])
    .filter((value) => value.length >= shortestMasked);
  const forms = new Map<string, Shared>();
  const add = (text: string, { leads, pads }: Shared): void => {
    const known = forms.get(text) ?? { leads: 0, pads: 0 };
    if (text.length >= shortestMasked)
      forms.set(text, { leads: known.leads === 1 ? 1 : leads, pads: Math.max(pads, known.pads) });
  };
  for (const value of values) {
    for (const text of encodings(value)) add(text, { leads: 0, pads: 0 });
    const bytes = Buffer.from(value, "utf8");
    for (const before of [0, 1, 2])
      for (const text of base64Within(bytes, before))
        add(text, { leads: before === 0 ? 0 : 1, pads: (3 - ((before + bytes.length) % 3)) % 3 });
  }
  return [...forms].map(([text, shared]) => ({ bytes: Buffer.from(text, "utf8"), ...shared }));
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
  ];
}

/** The characters that the value alone decides when it comes after `before` other bytes, of every three. */
function base64Within(bytes: Buffer, before: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  const part = whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  return [part, part.replaceAll("+", "-").replaceAll("/", "_")];
}
