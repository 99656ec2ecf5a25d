import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";

/** A body that turned out larger than is allowed. */
export class BodyTooLarge extends Error {}

/** What is still read of a body nobody wants, so that the client hears the answer instead of a reset. */
const lingerBytes = 1_048_576;
const lingerMs = 1000;

/**
 * A request's body on its way to one instance. It takes nothing from the client before the instance is connected to, so
 * after a failed connection the same body can go elsewhere; `used` says when that is over. Counts what passes, also when
 * no length was announced. Unlike the request itself it may be destroyed without harm to the client's connection.
 */
export class BodyRelay extends Readable {
  used = false;
  readonly #request: IncomingMessage;
  readonly #limitBytes: number;
  readonly #onUsed: () => void;
  #bytes = 0;

  constructor(request: IncomingMessage, limitBytes: number, onUsed: () => void) {
    super();
    this.#request = request;
    this.#limitBytes = limitBytes;
    this.#onUsed = onUsed;
    // The one who reads has its own error handling; without a listener an abort would end the process.
    this.on("error", () => undefined);
  }

  override _read(): void {
    if (!this.used) {
      this.used = true;
      this.#onUsed();
      this.#request.on("data", this.#take).on("end", this.#end);
    }
    this.#request.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#request.off("data", this.#take).off("end", this.#end);
    done(error);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limitBytes) this.destroy(new BodyTooLarge());
    else if (!this.push(chunk)) this.#request.pause();
  };

  readonly #end = (): void => {
    this.push(null);
  };
}

/** Reads away what is left of a body after its answer, so that the connection can be used again; up to a limit. */
export function discardRest(request: IncomingMessage): void {
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
export function lingerOnClose(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once("close", () => clearTimeout(timer));
    socket.once("end", () => socket.destroy());
    socket.resume();
  };
}
