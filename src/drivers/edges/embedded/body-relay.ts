import { Readable } from "node:stream";
import type { Incoming } from "./outgoing.ts";

/** A body that turned out larger than is allowed. */
export class BodyTooLarge extends Error {}

/**
 * A request's body on its way to one instance. It takes nothing from the client before the instance is connected to, so
 * after a failed connection the same body can go elsewhere; `used` says when that is over. Counts what passes, also when
 * no length was announced. Unlike the request itself it may be destroyed without harm to the client's connection.
 */
export class BodyRelay extends Readable {
  used = false;
  readonly #request: Incoming;
  readonly #limitBytes: number;
  readonly #onUsed: () => void;
  #bytes = 0;

  constructor(request: Incoming, limitBytes: number, onUsed: () => void) {
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
      this.#request.on("data", this.#take);
      this.#request.on("end", this.#end);
    }
    this.#request.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#request.off("data", this.#take);
    this.#request.off("end", this.#end);
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
