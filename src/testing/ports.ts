import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { portIsFree } from "../lib/supervisor/ports.ts";

/**
 * Where tests look: below what instances get (20,000) and what Linux gives to outgoing connections (32,768), who would
 * otherwise take a port between its finding and its use, which may be minutes later.
 */
const range = { from: 10_000, to: 14_999 } as const;

/** A port of a test is held by a listener that far above it, which ends with its process: no other test finds it meanwhile. */
const holderOffset = 5_000;

let next = Math.floor(Math.random() * (range.to - range.from + 1));

/** So many ports that nothing listens on, all different, and this process's own as long as it lives. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

/** One of them. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried <= range.to - range.from; tried++) {
    const port = range.from + next;
    next = (next + 1) % (range.to - range.from + 1);
    const holder = await hold(port + holderOffset);
    if (holder === null) continue;
    if (await portIsFree(port)) return port;
    holder.close();
  }
  throw new Error(`no port from ${range.from} to ${range.to} is free`);
}

async function hold(port: number): Promise<Server | null> {
  const server = createServer().listen({ port, host: "127.0.0.1", exclusive: true });
  try {
    await once(server, "listening");
  } catch {
    return null;
  }
  return server.unref();
}
