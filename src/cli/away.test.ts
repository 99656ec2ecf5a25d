import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Client } from "../api/client.ts";
import { SlipwayError } from "../core/errors/error.ts";
import { Away, postUntilAnswered } from "./away.ts";

describe("a request whose answer may be lost", () => {
  let server: Server;
  let client: Client;
  const asked: string[] = [];

  /** `losing` requests are read, and their connection ends. */
  async function serve(losing: number, status = 200, answer: object = { done: true }): Promise<void> {
    asked.length = 0;
    server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      asked.push(body);
      if (asked.length <= losing) return response.destroy();
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    client = new Client({ port: (server.address() as AddressInfo).port, token: "t" });
  }

  const post = () => postUntilAnswered({ client, reconnect: async () => client }, "/v1/deployments", { id: "dep_1" });

  afterEach(() => {
    client?.close();
    server?.close();
  });

  it("is asked again as it was, until there is an answer", async () => {
    await serve(2);
    expect(await post()).toEqual({ done: true });
    expect(asked).toEqual(['{"id":"dep_1"}', '{"id":"dep_1"}', '{"id":"dep_1"}']);
  });

  it("is not asked again where the answer is no", async () => {
    const error = { code: "ENVIRONMENT_LOCKED", message: "locked by ada", evidence: [], hint: "" };
    await serve(1, 423, { error });
    await expect(post()).rejects.toMatchObject({ code: "ENVIRONMENT_LOCKED", message: "locked by ada" });
    expect(asked).toHaveLength(2);
  });

  it("is given up by what is no loss of the control plane", async () => {
    const bug = new TypeError("x is not a function");
    await expect(new Away().wait(bug)).rejects.toBe(bug);
    const other = new SlipwayError("TIMED_OUT", { message: "late" });
    await expect(new Away().wait(other)).rejects.toBe(other);
  });
});
