import { Wire } from "../../../lib/wire/wire.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";
import { type BsonValue, decodeBson, encodeBson } from "./bson.ts";

export type MongoOptions = {
  /** As in `mongodb://a:27017,b:27017/`; asked in this order until one takes writes. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
};

const opMsg = 2013;
const maxReplyBytes = 256 * 1024;

/** Passes when one of the hosts answers a ping and takes writes. Both need no login, so no password is ever sent. */
export function mongoProbe({ hosts, tls }: MongoOptions): Gauge {
  return {
    read: async (signal) => {
      const seen: string[] = [];
      for (const { host, port } of hosts) {
        const outcome = await ping(host, port, tls, signal).catch((error: unknown): Outcome => {
          signal.throwIfAborted();
          return { is: "fail", saw: error instanceof Error ? error.message : String(error) };
        });
        if (outcome.is === "pass") return outcome;
        seen.push(hosts.length === 1 ? outcome.saw : `${host}: ${outcome.saw}`);
      }
      return { is: "fail", saw: seen.join("; ") };
    },
  };
}

/** `mongodb://user:password@a:27017,b/db?tls=true`, which is no URL when there are several hosts. Null: it is none. */
export function mongoOptions(text: string): MongoOptions | null {
  const match = /^mongodb:\/\/(?:[^@/]*@)?([^/?]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(text);
  if (match === null) return null;
  const query = new URLSearchParams(match[2] ?? "");
  const hosts = (match[1] ?? "").split(",").map((each) => {
    const found = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(each);
    return { host: found?.[1] ?? found?.[2] ?? "", port: Number(found?.[3] ?? 27_017) };
  });
  if (hosts.some(({ host, port }) => host === "" || port < 1 || port > 65_535)) return null;
  return { hosts, tls: query.get("tls") === "true" || query.get("ssl") === "true" };
}

async function ping(host: string, port: number, tls: boolean, signal: AbortSignal): Promise<Outcome> {
  const secure = tls ? { tls: { servername: host, verify: true } } : {};
  const wire = await Wire.open({ host, port, signal, ...secure });
  try {
    const hello = await run(wire, 1, { hello: 1, $db: "admin" });
    if (hello.ok !== 1) return { is: "fail", saw: String(hello.errmsg ?? "it refuses to say what it is") };
    const pong = await run(wire, 2, { ping: 1, $db: "admin" });
    if (pong.ok !== 1) return { is: "fail", saw: String(pong.errmsg ?? "it does not answer a ping") };
    const role = typeof hello.setName === "string" ? `primary of ${hello.setName}` : "it";
    if (hello.isWritablePrimary === true || hello.msg === "isdbgrid") return { is: "pass", saw: `${role} answers` };
    return { is: "fail", saw: "it takes no writes" };
  } finally {
    wire.close();
  }
}

/** One command by OP_MSG (mongodb.com/docs/manual/reference/mongodb-wire-protocol). */
async function run(
  wire: Wire,
  id: number,
  command: Readonly<Record<string, number | string>>,
): Promise<Readonly<Record<string, BsonValue>>> {
  const body = encodeBson(command);
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(id, 4);
  head.writeInt32LE(opMsg, 12);
  wire.write(Buffer.concat([head, body]));
  const length = (await wire.read(4)).readInt32LE(0) - 4;
  if (length < 22 || length > maxReplyBytes) throw new Error("it does not speak as a MongoDB");
  const reply = await wire.read(length);
  // Request id, response to, kind of message, flags, kind of section: then the document.
  if (reply.readInt32LE(4) !== id || reply.readInt32LE(8) !== opMsg || reply[16] !== 0)
    throw new Error("it does not speak as a MongoDB");
  return decodeBson(reply.subarray(17));
}
