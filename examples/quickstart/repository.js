// The quickstart's product, on two free ports of this machine.
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { makeRepository } from "../parts/repository.js";

const messages = {
  v1: "feat: a greeting in three services",
  v2: "feat(api): greet people by their name",
  v3: "feat(api): read the greetings from a database",
  v4: "perf(api): cache the greetings",
  v5: "fix(api): end a greeting politely",
  v6: "feat(api)!: greet in three languages\n\nBREAKING CHANGE: the greeting may be in any of them.",
};

/** With the origin at which production will answer. */
export async function quickstartRepository() {
  const [staging, production] = await freePorts(2);
  const repository = makeRepository({
    name: "quickstart",
    from: fileURLToPath(new URL(".", import.meta.url)),
    messages,
    configure: (text) =>
      text.replace("127.0.0.1:8081", `127.0.0.1:${staging}`).replace("127.0.0.1:8080", `127.0.0.1:${production}`),
  });
  return { ...repository, origin: `http://127.0.0.1:${production}` };
}

/** Below 32,768, where Linux gives ports to outgoing connections: production's listens a while after it was found. */
async function freePorts(count) {
  const ports = [];
  for (let port = 30_000 + Math.floor(Math.random() * 2_000); ports.length < count; port++)
    if (await isFree(port)) ports.push(port);
  return ports;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
