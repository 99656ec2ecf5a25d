import { parseCidr } from "../product/addresses.ts";
import { serverScript } from "../server/script.ts";
import { defaultSettings, parseUserName, type ServerSettings } from "../server/settings.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import type { SynthProduct } from "./product.ts";

/** The script of `slipway server bootstrap`, with what the config says of the servers. */
export function serverFiles(product: SynthProduct): readonly SynthFile[] {
  return [
    textFile({
      artifact: "server",
      path: "init-server.sh",
      text: serverScript(settingsOf(product)),
      executable: true,
      // A bootstrap writes the same file, and knows it by its first lines.
      markAt: "end",
    }),
  ];
}

/** The deploy user of the hosts' addresses, Caddy where the edge is one, and the environment's other hosts let in. */
function settingsOf({ environment: { target, edge } }: SynthProduct): ServerSettings {
  const hosts = target.driver === "docker" ? target.hosts.filter(({ url }) => url.startsWith("ssh:")) : [];
  const users = hosts.map(({ url }) => parseUserName(new URL(url).username)).filter((user) => user !== null);
  const addresses = hosts.flatMap(({ address }) => (address === null ? [] : [parseCidr(address)]));
  const ranges = [...new Set(addresses.filter((range) => range !== null))].sort();
  return {
    ...defaultSettings,
    ...(users[0] !== undefined && { deployUser: users[0] }),
    edge: edge.driver === "caddy" ? { is: "official" } : { is: "none" },
    ...(ranges.length > 1 && { trust: ranges }),
  };
}
