import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Exchange } from "./exchange.ts";
import type { Revision } from "./revision.ts";
import { headerLine } from "./write-head.ts";

/** Joins the two connections of a WebSocket, until either side ends it or it is cut. */
export function tunnel(
  exchange: Exchange,
  revision: Revision,
  upstream: {
    readonly status: number;
    readonly headers: readonly string[];
    readonly lines: string;
    readonly socket: Duplex;
  },
): void {
  const service = upstream.socket;
  exchange.stop = null;
  const client = exchange.res.detach();
  if (client === null) {
    service.destroy();
    exchange.close();
    return;
  }

  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    client.destroy();
    service.destroy();
    revision.streams.delete(stream);
    revision.counts.webSockets -= 1;
    exchange.end();
  };
  const stream = { cut: close };
  revision.streams.add(stream);
  revision.counts.webSockets += 1;
  for (const side of [client, service]) side.on("error", close).on("close", close);

  client.setTimeout(0);
  client.setNoDelay(true);
  client.write(switchingHead(upstream.status, upstream.headers, upstream.lines + exchange.ownLines()), "latin1");
  // A side that has ended its half is told to the other by `pipe`; the tunnel goes when the connections do.
  client.pipe(service);
  service.pipe(client);
  service.on("data", (chunk: Buffer) => {
    exchange.bytes += chunk.length;
  });
}

function switchingHead(status: number, headers: readonly string[], lines: string): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  for (let index = 0; index + 1 < headers.length; index += 2)
    text += headerLine(headers[index] as string, headers[index + 1] as string);
  return `${text}${lines}\r\n`;
}
