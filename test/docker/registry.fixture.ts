import { request } from "node:http";
import type { Reachable } from "../../src/testing/hosts/engine-request.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import type { TestRegistry } from "../../src/testing/hosts/registry.ts";

/** Moves an image that the engine has to the registry: afterwards only the registry has it, under the same name. */
export async function moveToRegistry(engine: Reachable, registry: TestRegistry, name: string): Promise<void> {
  const login = { username: registry.user, password: registry.password, serveraddress: registry.host };
  const path = `/images/${name.replace(/:[^:/]+$/, "")}/push?tag=${name.slice(name.lastIndexOf(":") + 1)}`;
  const said = await new Promise<string>((resolve, reject) => {
    const headers = { "x-registry-auth": Buffer.from(JSON.stringify(login)).toString("base64") };
    const call = request({ socketPath: engine.socket, method: "POST", path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.once("end", () => resolve(text)).once("error", reject);
    });
    call.once("error", reject).end();
  });
  if (said.includes('"errorDetail"')) throw new Error(`the registry refused ${name}: ${said}`);
  await engineRequest(engine, "DELETE", `/images/${name}`);
}
