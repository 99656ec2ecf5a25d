import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";

/** Where node:http keeps a head that was written and not yet sent. Not public, so its presence is proven once at start. */
type Open = ServerResponse & { _header?: unknown };

const end = "\r\n\r\n";
const canAppend = provenAppendable();

/**
 * Writes an answer's head. `lines` are ready-made (`Name: value\r\n` each), of values known to be sound: they skip
 * node:http's two regular expressions a header, which for the edge's own nine headers were 4 % of a request's CPU.
 * Headers that node:http must know of (lengths, encodings, Connection, Date) belong into `headers`.
 */
export function writeHead(res: ServerResponse, status: number, headers: readonly string[], lines: string): void {
  if (!canAppend) {
    res.writeHead(status, [...headers, ...pairs(lines)]);
    return;
  }
  res.writeHead(status, headers as string[]);
  const open = res as Open;
  open._header = `${(open._header as string).slice(0, -2)}${lines}\r\n`;
}

/** `Name: value\r\n`, for `lines`. */
export function headerLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

function pairs(lines: string): string[] {
  return lines
    .split("\r\n")
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
}

function provenAppendable(): boolean {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  res.writeHead(200, ["A", "b"]);
  const head = (res as Open)._header;
  return typeof head === "string" && head.includes("\r\nA: b\r\n") && head.endsWith(end);
}
