import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { SlipwayError } from "../core/errors/error.ts";

/** So much of each body costs no room: forges seldom send more, so nobody's large ones keep those out. */
const freeBytes = 1024 ** 2;
/** And so much there is for what is beyond that, of all bodies together: three of the largest. */
export const roomBytes = 75 * 1024 ** 2;

/** One request's part of the room. */
export type Seat = {
  /** All of a body. Errors: BODY_TOO_LARGE; TOO_MANY_CONNECTIONS: it is large, and others fill the room. */
  read(body: Readable, limitBytes: number): Promise<Buffer>;
};

/**
 * Has bodies of strangers in memory, each up to a limit and all together up to another, reckoned by what has come and not by what
 * was announced. A body counts until its request has been answered or its connection is gone.
 */
export class BodyRoom {
  #used = 0;

  /** `response`: closes when it was sent, or its connection is gone. */
  seatFor(response: EventEmitter): Seat {
    let taken = 0;
    let isLeft = false;
    const take = (bytes: number): void => {
      this.#used += bytes - taken;
      taken = bytes;
    };
    response.once("close", () => {
      isLeft = true;
      take(0);
    });
    return {
      read: async (body, limitBytes) => {
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > limitBytes)
            throw new SlipwayError("BODY_TOO_LARGE", { message: `the body has more than ${limitBytes} bytes` });
          if (!isLeft) take(Math.max(0, size - freeBytes));
          if (taken > 0 && this.#used > roomBytes)
            throw new SlipwayError("TOO_MANY_CONNECTIONS", {
              message: `${roomBytes} bytes of large bodies are here already`,
            });
          chunks.push(chunk);
        }
        return Buffer.concat(chunks);
      },
    };
  }
}
