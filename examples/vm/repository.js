// The product of the example of virtual machines: its addresses are those of the machines.
import { fileURLToPath } from "node:url";
import { makeRepository } from "../parts/repository.js";

const messages = {
  v1: "feat: greetings on two machines",
  v2: "feat(api): greet people by their name",
  v3: "feat(api): count everybody who was greeted",
  v4: "perf(api): cache the greetings",
  v5: "fix(api): greet people kindly",
};

/** With the origin at which production will answer: Caddy on the first machine. */
export function vmRepository({ hosts: [first, second], registry }) {
  const repository = makeRepository({
    name: "vm",
    from: fileURLToPath(new URL(".", import.meta.url)),
    messages,
    configure: (text) =>
      text
        .replaceAll("ssh://root@10.0.0.2", first.url)
        .replaceAll("ssh://root@10.0.0.3", second.url)
        .replaceAll("REGISTRY", registry.host),
  });
  return { ...repository, origin: `http://${first.address}:8080` };
}
