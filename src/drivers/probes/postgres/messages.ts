import type { Wire } from "../../../lib/wire/wire.ts";

/** The messages of PostgreSQL's protocol 3.0 that a ping needs (postgresql.org/docs/current/protocol-message-formats.html). */
export type Message = { readonly type: string; readonly body: Buffer };

const maxMessageBytes = 64 * 1024;

export async function readMessage(wire: Wire): Promise<Message> {
  const head = await wire.read(5);
  const length = head.readUInt32BE(1) - 4;
  if (length < 0 || length > maxMessageBytes) throw new Error("it does not speak as a PostgreSQL");
  return { type: String.fromCharCode(head[0] ?? 0), body: await wire.read(length) };
}

export function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat([Buffer.from(type, "latin1"), sized(...parts)]);
}

/** With its length before it, and no type: how a connection begins. */
export function sized(...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** SQLSTATE and text of an error message. */
export class PostgresError extends Error {
  readonly code: string;

  constructor(body: Buffer) {
    const fields = new Map(
      body
        .toString("utf8")
        .split("\0")
        .map((field) => [field[0] ?? "", field.slice(1)]),
    );
    super(fields.get("M") ?? "it refuses without a reason");
    this.code = fields.get("C") ?? "";
  }
}
