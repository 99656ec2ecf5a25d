/** Where a text stops being JSON, and why, because `JSON.parse` says it only sometimes and lets a key be there twice. */
export type Fault = { readonly offset: number; readonly message: string };

const maxDepth = 100;
const space = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in texts.
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;

/** Null when the text is JSON and no object has a key twice. */
export function jsonFault(text: string): Fault | null {
  const reader = { text, at: 0 };
  try {
    value(reader, 0);
    take(reader, space);
    if (reader.at < text.length) stop(reader, "there is something after the end");
    return null;
  } catch (error) {
    if (error instanceof Stop) return { offset: error.offset, message: error.message };
    throw error;
  }
}

type Reader = { readonly text: string; at: number };

class Stop extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

function value(reader: Reader, depth: number): void {
  take(reader, space);
  const next = reader.text[reader.at];
  if (depth > maxDepth) stop(reader, `deeper than ${maxDepth} levels`);
  if (next === "{") object(reader, depth);
  else if (next === "[") array(reader, depth);
  else if (next === '"') key(reader);
  else if (take(reader, scalar) === null)
    stop(reader, next === "'" ? "use \" for text, not '" : expected(next, "a value"));
}

function object(reader: Reader, depth: number): void {
  const seen = new Set<string>();
  list(reader, "}", () => {
    const at = reader.at;
    const name = key(reader);
    if (seen.has(name)) throw new Stop(at, `the key "${name}" is there twice`);
    seen.add(name);
    take(reader, space);
    if (reader.text[reader.at] !== ":") stop(reader, expected(reader.text[reader.at], '":"'));
    reader.at++;
    value(reader, depth + 1);
  });
}

function array(reader: Reader, depth: number): void {
  list(reader, "]", () => value(reader, depth + 1));
}

/** From the opening bracket to the closing one, with commas between. */
function list(reader: Reader, end: string, item: () => void): void {
  reader.at++;
  take(reader, space);
  if (reader.text[reader.at] === end) {
    reader.at++;
    return;
  }
  for (;;) {
    take(reader, space);
    if (reader.text[reader.at] === end) stop(reader, "there is a comma before the end; leave it out");
    item();
    take(reader, space);
    const next = reader.text[reader.at];
    if (next !== "," && next !== end) stop(reader, expected(next, `"," or "${end}"`));
    reader.at++;
    if (next === end) return;
  }
}

function key(reader: Reader): string {
  const text = take(reader, string);
  if (text === null)
    stop(
      reader,
      reader.text[reader.at] === '"'
        ? "this text has no end, or a wrong escape in it"
        : expected(reader.text[reader.at], 'a key in "'),
    );
  return JSON.parse(text) as string;
}

function take(reader: Reader, pattern: RegExp): string | null {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text);
  if (match === null) return null;
  reader.at = pattern.lastIndex;
  return match[0];
}

function expected(seen: string | undefined, wanted: string): string {
  if (seen === undefined) return `it ends too soon; ${wanted} is missing`;
  return seen === "/" || seen === "#"
    ? "JSON has no comments; leave it out, or use YAML"
    : `${JSON.stringify(seen)} is not ${wanted}`;
}

function stop(reader: Reader, message: string): never {
  throw new Stop(reader.at, message);
}
