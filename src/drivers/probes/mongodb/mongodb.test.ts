import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { decodeBson, encodeBson } from "./bson.ts";
import { mongoOptions, mongoProbe } from "./index.ts";

/**
 * Documents as MongoDB's own `bson` 7.3.4 writes them, of the shapes that the server's manual gives for `hello` and `ping`: there is no
 * server to be had where this is made.
 */
const documents = {
  question: "1f0000001068656c6c6f000100000002246462000600000061646d696e0000",
  primary:
    "780100000868656c6c6f4f6b000103746f706f6c6f677956657273696f6e002d0000000770726f6365737349640065a00000000000000000000112636f756e7465720006000000000000000004686f737473002300000002300008000000613a32373031370002310008000000623a32373031370000027365744e616d650004000000727330001073657456657273696f6e00010000000869735772697461626c655072696d6172790001087365636f6e646172790000027072696d6172790008000000613a323730313700036c61737457726974650029000000036f7054696d65001c00000011747300010000000100000012740001000000000000000000106d617842736f6e4f626a65637453697a650000000001096c6f63616c54696d650000c02cc8990100000a6e6f7468696e670005636c757374657200030000000061626311636c757374657254696d6500020000000500000010636f6e6e656374696f6e49640017000000016f6b00000000000000f03f00",
  secondary: "310000000869735772697461626c655072696d6172790000087365636f6e646172790001016f6b00000000000000f03f00",
  standalone: "250000000869735772697461626c655072696d6172790001016f6b00000000000000f03f00",
  pong: "11000000016f6b00000000000000f03f00",
  refusal:
    "36000000016f6b000000000000000000026572726d7367000f0000006e6f7420617574686f72697a65640010636f6465000d00000000",
} as const;

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

/** Answers `hello` and then `ping` by OP_MSG, or with what is no answer at all. */
async function answering(hello: string, ping: string = documents.pong): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    let asked = 0;
    socket.on("error", () => {});
    socket.on("data", (question) => {
      asked += 1;
      const document = Buffer.from(asked === 1 ? hello : ping, "hex");
      const head = Buffer.alloc(21);
      head.writeInt32LE(21 + document.length, 0);
      head.writeInt32LE(900 + asked, 4);
      head.writeInt32LE(question.readInt32LE(4), 8);
      head.writeInt32LE(2013, 12);
      socket.write(Buffer.concat([head, document]));
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as { port: number }).port };
}

it("questions are written as MongoDB's own library writes them, and answers are read whatever else is in them", () => {
  expect(encodeBson({ hello: 1, $db: "admin" }).toString("hex")).toBe(documents.question);
  expect(decodeBson(Buffer.from(documents.primary, "hex"))).toMatchObject({
    helloOk: true,
    setName: "rs0",
    isWritablePrimary: true,
    primary: "a:27017",
    nothing: null,
    connectionId: 23,
    ok: 1,
  });
});

it("one that takes writes passes, wherever it is in the list, and a secondary alone does not", async () => {
  const [primary, secondary] = [await answering(documents.primary), await answering(documents.secondary)];
  const probe = (...hosts: { host: string; port: number }[]) => mongoProbe({ hosts, tls: false }).read(soon());
  expect(await probe(secondary, primary)).toEqual({ is: "pass", saw: "primary of rs0 answers" });
  expect(await probe(await answering(documents.standalone))).toEqual({ is: "pass", saw: "it answers" });
  expect(await probe(secondary)).toEqual({ is: "fail", saw: "it takes no writes" });
  expect(await probe(await answering(documents.primary, documents.refusal))).toEqual({
    is: "fail",
    saw: "not authorized",
  });
  expect(await probe({ host: "127.0.0.1", port: 1 })).toEqual({ is: "fail", saw: "connection refused" });
});

it("what does not speak as a MongoDB has failed within bounds", async () => {
  for (const lie of ["", "ffffff7f00", "0500000000", "1000000002780000000080", `10000000ff${"00".repeat(11)}`]) {
    const hosts = [await answering(lie)];
    expect((await mongoProbe({ hosts, tls: false }).read(soon())).is, lie).toBe("fail");
  }
});

it("URLs name one host or several, with a login that is left alone", () => {
  expect(mongoOptions("mongodb://u:p%40@a,[::1]:27018/shop?tls=true")).toEqual({
    hosts: [
      { host: "a", port: 27_017 },
      { host: "::1", port: 27_018 },
    ],
    tls: true,
  });
  for (const none of ["mongodb+srv://a", "http://a", "mongodb://", "mongodb://a:99999", ""])
    expect(mongoOptions(none)).toBeNull();
});
