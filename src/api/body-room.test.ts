import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { BodyRoom, roomBytes } from "./body-room.ts";

const mb = 1024 ** 2;
const limit = 25 * mb;

function* pieces(bytes: number) {
  for (let at = 0; at < bytes; at += mb) yield Buffer.alloc(Math.min(mb, bytes - at), 1);
}
const read = (room: BodyRoom, bytes: number, response = new EventEmitter()) =>
  room.seatFor(response).read(Readable.from(pieces(bytes)), limit);

it("takes a body up to its limit, and large ones until they fill the room; small ones always", async () => {
  const room = new BodyRoom();
  expect((await read(room, limit)).length).toBe(limit);
  await expect(read(room, limit + 1)).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
  const full = new BodyRoom();
  const [first = new EventEmitter(), ...others] = [1, 2, 3].map(() => new EventEmitter());
  for (const response of [first, ...others]) await read(full, limit, response);
  await expect(read(full, 4.5 * mb)).rejects.toMatchObject({
    code: "TOO_MANY_CONNECTIONS",
    message: `${roomBytes} bytes of large bodies are here already`,
  });
  expect((await read(full, mb)).length).toBe(mb);
  // Answered, or gone.
  first.emit("close");
  expect((await read(full, 4.5 * mb)).length).toBe(4.5 * mb);
});

it("counts what was refused no longer than its connection lasts", async () => {
  const room = new BodyRoom();
  for (let turn = 0; turn < 5; turn++) {
    const response = new EventEmitter();
    await expect(read(room, limit + 1, response)).rejects.toThrow();
    response.emit("close");
  }
  expect((await read(room, limit)).length).toBe(limit);
});
