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
    seen,
    kindOf(name) {
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
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = latin1(raw[index] as Buffer);
    const value = latin1(raw[index + 1] as Buffer);
    const kind = names.seen.get(name) ?? names.kindOf(name);
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

/** Fields behind a body that may stand there: none that says how a message is framed, routed or cached (RFC 9110 §6.5.1). */
export function readTrailers(raw: readonly Buffer[]): string[] {
  const trailers: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = latin1(raw[index] as Buffer);
    if (!neverTrailers.has(name.toLowerCase())) trailers.push(name, latin1(raw[index + 1] as Buffer));
  }
  return trailers;
}

/** The lines of the defaults whose bit is not set in `present`. */
function missing({ defaults, allDefaults }: AnswerNames, present: number): string {
  return present === 0 ? allDefaults : defaults.filter((_, index) => (present & (1 << index)) === 0).join("");
}

/** node:buffer's own function behind `toString("latin1")`, where it is to be had: half the cost for short texts. */
type Sliceable = Buffer & { latin1Slice(): string };
const latin1: (bytes: Buffer) => string =
  "latin1Slice" in Buffer.prototype
    ? (bytes) => (bytes as Sliceable).latin1Slice()
    : (bytes) => bytes.toString("latin1");

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

const neverTrailers = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "host"],
  ...["content-length", "content-encoding", "content-type", "content-range", "cache-control", "expires", "date", "age"],
  ...["location", "vary", "set-cookie", "authorization", "www-authenticate", "proxy-authenticate", "retry-after"],
  ...["strict-transport-security", "x-trace-id"],
]);

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
