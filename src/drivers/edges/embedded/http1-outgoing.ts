import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Outgoing } from "./outgoing.ts";
import { endWith, writeHead } from "./write-head.ts";

/** What is still read of a body nobody wants, so that the client hears the answer instead of a reset. */
const lingerBytes = 1_048_576;
const lingerMs = 1000;

/** An answer in HTTP/1.1: node:http's own, made by its server, with the names of the pipeline. */
export class Http1Outgoing extends ServerResponse implements Outgoing {
  head(status: number, headers: readonly string[], lines: string): void {
    writeHead(this, status, headers, lines);
  }

  last(chunk: Buffer): void {
    endWith(this, chunk);
  }

  trailers(fields: readonly string[]): void {
    const pairs: [string, string][] = [];
    for (let index = 0; index + 1 < fields.length; index += 2)
      pairs.push([fields[index] as string, fields[index + 1] as string]);
    this.addTrailers(pairs);
  }

  askForBody(): void {
    this.writeContinue();
  }

  stillWorking(): void {
    if (this.req.httpVersionMinor > 0) this.writeProcessing();
  }

  hint(links: readonly string[]): void {
    // HTTP/1.0 knows no interim answers.
    if (this.req.httpVersionMinor > 0) this.writeEarlyHints({ link: [...links] });
  }

  endPatiently(): void {
    lingerOnClose(this.req.socket);
  }

  /** Read away up to a limit, so that the connection can be used again. */
  discardBody(): void {
    discardRest(this.req);
  }

  detach(): Socket {
    const { socket } = this.req;
    this.detachSocket(socket);
    return socket;
  }

  cut(): void {
    this.socket?.destroy();
  }
}

function discardRest(request: IncomingMessage): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > lingerBytes) request.socket?.destroy();
  });
  request.resume();
}

/**
 * Makes the close that follows an answer patient: closing with unread bytes would reset the connection, and the client
 * would lose the answer (RFC 9112 §9.6).
 */
function lingerOnClose(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once("close", () => clearTimeout(timer));
    socket.once("end", () => socket.destroy());
    socket.resume();
  };
}
