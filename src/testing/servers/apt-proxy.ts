import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { partsDirectory } from "./parts.ts";

export type AptProxy = {
  readonly port: number;
  /** False: every request fails, as where the mirror is away. */
  readonly up: boolean;
  setUp(up: boolean): void;
  close(): Promise<void>;
};

/**
 * The way of machines without a network of their own to the archives of Debian and Ubuntu: an HTTP proxy that keeps packages, whose
 * content never changes under one name. `sites` are directories served under a host name of their own.
 */
export async function startAptProxy(sites: ReadonlyMap<string, string> = new Map()): Promise<AptProxy> {
  const kept = join(partsDirectory, "packages");
  await mkdir(kept, { recursive: true });
  let isUp = true;
  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch(() => answer.destroy());
  });

  async function serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = URL.canParse(incoming.url ?? "") ? new URL(incoming.url ?? "") : null;
    if (!isUp || url === null || incoming.method !== "GET") return void answer.writeHead(503).end();
    const site = sites.get(url.hostname);
    if (site !== undefined) return sendFile(join(site, url.pathname.replaceAll("..", "")), answer);
    if (!url.pathname.endsWith(".deb")) return forward(url, incoming, answer);
    const file = join(kept, `${createHash("sha256").update(url.href).digest("hex")}.deb`);
    if (!existsSync(file)) await download(url, file);
    return sendFile(file, answer);
  }

  // Reached from the namespaces of the machines by each one's own link.
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get up() {
      return isUp;
    },
    setUp: (up) => {
      isUp = up;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function sendFile(file: string, answer: ServerResponse): Promise<void> {
  if (!existsSync(file)) return void answer.writeHead(404).end();
  answer.writeHead(200);
  await pipeline(createReadStream(file), answer);
}

async function forward(url: URL, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
  const from = await get(url, incoming.headers);
  answer.writeHead(from.statusCode ?? 502, from.headers);
  await pipeline(from, answer);
}

async function download(url: URL, file: string): Promise<void> {
  const from = await get(url, { host: url.host });
  if (from.statusCode !== 200) throw new Error(`${url.href} answered ${from.statusCode}`);
  const draft = `${file}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    await pipeline(from, createWriteStream(draft));
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

function get(url: URL, headers: NodeJS.Dict<string | string[]>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, resolve).on("error", reject).end();
  });
}
