import type { Wire } from "../../../lib/wire/wire.ts";

/** What a MySQL or MariaDB says first (protocol 10; dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html). */
export type Greeting = {
  readonly version: string;
  readonly capabilities: number;
  readonly salt: Buffer;
  readonly plugin: string;
};

const maxPacketBytes = 64 * 1024;

/** Packets, each with its number: the other side counts too. */
export class Packets {
  readonly #wire: Wire;
  #number = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async read(): Promise<Buffer> {
    const head = await this.#wire.read(4);
    const length = head.readUIntLE(0, 3);
    if (length === 0 || length > maxPacketBytes) throw new Error("it does not speak as a MySQL");
    this.#number = ((head[3] ?? 0) + 1) % 256;
    return this.#wire.read(length);
  }

  write(payload: Buffer): void {
    const head = Buffer.alloc(4);
    head.writeUIntLE(payload.length, 0, 3);
    head[3] = this.#number;
    this.#number = (this.#number + 1) % 256;
    this.#wire.write(Buffer.concat([head, payload]));
  }

  /** A command begins to count anew. */
  command(payload: Buffer): void {
    this.#number = 0;
    this.write(payload);
  }
}

export class MysqlError extends Error {
  readonly code: number;

  constructor(packet: Buffer) {
    const text = packet.subarray(3).toString("utf8");
    super(text.startsWith("#") ? text.slice(6) : text);
    this.code = packet.readUInt16LE(1);
  }
}

export function greetingOf(packet: Buffer): Greeting {
  if (packet[0] !== 10) throw new Error("it does not speak as a MySQL");
  const versionEnd = packet.indexOf(0, 1);
  let at = versionEnd + 5;
  const salt1 = packet.subarray(at, at + 8);
  at += 9;
  const low = packet.readUInt16LE(at);
  const high = packet.readUInt16LE(at + 5);
  const saltBytes = packet[at + 7] ?? 0;
  at += 18;
  const salt2 = packet.subarray(at, at + Math.max(13, saltBytes - 8));
  const plugin = packet.subarray(at + salt2.length);
  return {
    version: packet.subarray(1, versionEnd).toString("latin1"),
    capabilities: low + high * 65_536,
    salt: Buffer.concat([salt1, salt2]).subarray(0, 20),
    plugin: untilZero(plugin) || "mysql_native_password",
  };
}

export function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString("latin1");
}
