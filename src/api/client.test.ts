import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { Client } from "./client.ts";

/** A client of a program that answers so, whatever it is asked. */
async function clientOf(answer: {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}): Promise<Client> {
  const server = createServer((_, response) => {
    response.writeHead(answer.status, { "content-type": answer.type }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new Client({ port: (server.address() as AddressInfo).port, token: "t" });
  onTestFinished(async () => {
    client.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return client;
}

it("takes another program at the address for what it is: no control plane", async () => {
  const bodies = ["<html>hello</html>", "", '{"error":null}', '{"error":"no"}', "null", "[1]"];
  for (const status of [200, 404, 500])
    for (const body of bodies) {
      const client = await clientOf({ status, type: "text/html", body });
      const isJson = status === 200 && !["<html>hello</html>", ""].includes(body);
      if (isJson) expect(await client.get("/v1/status")).toEqual(JSON.parse(body));
      else
        await expect(client.get("/v1/status"), `${status} ${body}`).rejects.toMatchObject({
          code: "CONTROL_PLANE_DOWN",
          evidence: [["it said", `${status} text/html`]],
        });
    }
});

it("makes an error of what it is told, whatever its code is called", async () => {
  const told = async (error: object) =>
    (await clientOf({ status: 409, type: "application/json", body: JSON.stringify({ error }) })).get("/");
  await expect(told({ code: "TREE_DIRTY", message: "m", evidence: [["a", "b"]], hint: "h" })).rejects.toMatchObject({
    code: "TREE_DIRTY",
    message: "m",
    evidence: [["a", "b"]],
    hint: "h",
    exitCode: 2,
  });
  for (const code of ["toString", "__proto__", "constructor", "OF_A_LATER_VERSION"])
    await expect(told({ code, message: "m" })).rejects.toMatchObject({ code: "INTERNAL", message: "m", exitCode: 1 });
  await expect(told({ code: "TREE_DIRTY", message: "m", evidence: ["x", ["a", 1]] })).rejects.toMatchObject({
    evidence: [],
  });
});

it("ends a stream that is not one with words", async () => {
  const client = await clientOf({ status: 200, type: "text/html", body: "<html>\nhello" });
  const read = async () => {
    for await (const _ of client.stream("/v1/logs")) throw new Error("an item came");
  };
  await expect(read()).rejects.toMatchObject({ code: "CONTROL_PLANE_DOWN" });
});
