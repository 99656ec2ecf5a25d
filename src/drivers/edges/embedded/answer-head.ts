import type { AnswerNames } from "./compiled.ts";
import { headerLine } from "./write-head.ts";

/** What the edge needs to know of an answer's head, and the headers its client is sent. */
export type AnswerHead = {
  readonly headers: string[];
  /** The policy's headers that the service did not send, as lines. */
  readonly lines: string;
  /** -1 when the service did not say. */
  readonly contentLength: number;
  readonly eventStream: boolean;
};

/** Compiles the headers that are set unless the service set them. At most 30. */
export function answerNames(defaults: Readonly<Record<string, string>>): AnswerNames {
  const known = new Map(kinds);
  const names = Object.keys(defaults);
  for (const [index, name] of names.entries()) known.set(name.toLowerCase(), is.hasDefault + index);
  const seen = new Map<string, number>();
  const lines = names.map((name) => headerLine(name, defaults[name] ?? ""));
  return {
    defaults: lines,
    allDefaults: lines.join(""),
    kinds(name) {
      const memory = seen.get(name);
      if (memory !== undefined) return memory;
      const kind = known.get(name.toLowerCase()) ?? is.pass;
      if (seen.size < rememberedNames) seen.set(name, kind);
      return kind;
    },
  };
}

/**
 * Reads the raw headers of a service's answer and writes those to pass on in the same walk: hop-by-hop ones go, the
 * policy's are added where the service did not send its own. `ownCors`: the edge answers for CORS, so what the service
 * says about it is left out.
 */
export function readAnswer(raw: readonly Buffer[], names: AnswerNames, ownCors: boolean): AnswerHead {
  const headers: string[] = [];
  let present = 0;
  let contentLength = -1;
  let eventStream = false;
  let connection = "";
  const text = textOf(raw);
  for (let index = 0; index + 1 < text.length; index += 2) {
    const name = text[index] as string;
    const value = text[index + 1] as string;
    const kind = names.kinds(name);
    switch (kind) {
      case is.pass:
        headers.push(name, value);
        break;
      case is.drop:
        break;
      case is.connection:
        connection = connection === "" ? value : `${connection},${value}`;
        break;
      case is.contentLength:
        contentLength = Number(value);
        headers.push(name, value);
        break;
      case is.contentType:
        eventStream = value.startsWith("text/event-stream");
        headers.push(name, value);
        break;
      case is.cors:
        if (!ownCors) headers.push(name, value);
        break;
      default:
        present |= 1 << (kind - is.hasDefault);
        headers.push(name, value);
    }
  }
  if (connection !== "" && !ordinaryConnection.has(connection)) removeNamed(headers, connection);
  return { headers, contentLength, eventStream, lines: missing(names, present) };
}

/** The lines of the defaults whose bit is not set in `present`. */
function missing({ defaults, allDefaults }: AnswerNames, present: number): string {
  return present === 0 ? allDefaults : defaults.filter((_, index) => (present & (1 << index)) === 0).join("");
}

/**
 * Names and values as text. They are nearly always pieces of one buffer, the head as it came from the socket: read as a
 * whole and cut up as text, which is one call into native code instead of one for each.
 */
function textOf(raw: readonly Buffer[]): string[] {
  const text: string[] = [];
  const first = raw[0];
  const last = raw[raw.length - 1];
  if (first === undefined || last === undefined) return text;
  const start = first.byteOffset;
  const whole =
    last.buffer === first.buffer && last.byteOffset >= start
      ? Buffer.from(first.buffer, start, last.byteOffset + last.length - start).toString("latin1")
      : "";
  for (let index = 0; index < raw.length; index += 1) {
    const piece = raw[index] as Buffer;
    const from = piece.byteOffset - start;
    if (piece.buffer === first.buffer && from >= 0 && from + piece.length <= whole.length)
      text.push(whole.slice(from, from + piece.length));
    // A piece that was split between two packets has a buffer of its own.
    else text.push(piece.toString("latin1"));
  }
  return text;
}

const ordinaryConnection = new Set(["keep-alive", "close", "Keep-Alive", "Close", "upgrade", "Upgrade"]);

function removeNamed(headers: string[], connection: string): void {
  const named = new Set(
    connection
      .toLowerCase()
      .split(",")
      .map((text) => text.trim()),
  );
  named.delete("content-length");
  for (let index = headers.length - 2; index >= 0; index -= 2)
    if (named.has((headers[index] as string).toLowerCase())) headers.splice(index, 2);
}

const rememberedNames = 1000;

const is = {
  pass: 0,
  drop: 1,
  connection: 2,
  contentLength: 3,
  contentType: 4,
  cors: 5,
  /** This and above: the service's own value of a header that has a default, by the default's index. */
  hasDefault: 16,
} as const;

const kinds = new Map<string, number>([
  ["connection", is.connection],
  ["content-length", is.contentLength],
  ["content-type", is.contentType],
  ...[
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
  ].map((name) => [name, is.cors] as const),
  // Hop by hop, and the trace id, which is the edge's to say.
  ...["keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "x-trace-id"].map(
    (name) => [name, is.drop] as const,
  ),
]);
