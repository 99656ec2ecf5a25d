// Two machines with Docker and sshd, as real as namespaces of this one make them, a registry that has Redis, and Caddy on the first.
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { openSsh } from "../../dist/lib/ssh/open-ssh.js";
import { caddyPart } from "../../dist/testing/caddy.js";
import { startHosts } from "../../dist/testing/hosts/hosts.js";
import { loadImage } from "../../dist/testing/hosts/image-archive.js";
import { nodeConfig, nodeLayer } from "../../dist/testing/hosts/node-image.js";
import { redisImage } from "../../dist/testing/hosts/redis-image.js";
import { startRegistry } from "../../dist/testing/hosts/registry.js";
import { architecture } from "../../dist/testing/hosts/shell-image.js";

const installMs = 60_000;

/** Everything is gone again after `down`, or when this process ends, however it ends. */
export async function startMachines() {
  const machines = await startHosts(2);
  let registry = null;
  const down = async () => {
    await registry?.down();
    await machines.down();
  };
  try {
    registry = await startRegistry({ host: machines.gateway, tls: true });
    const [first] = machines.hosts;
    await registry.take(first, await redisImage(first, `${registry.host}/tools/redis:7`));
    // What the Dockerfiles begin from. A machine with a way out would pull it.
    const base = { architecture, config: nodeConfig, layers: [await nodeLayer()] };
    await loadImage(first, "node:22-slim", base);
    await installCaddy(first, machines.directory);
    return { hosts: machines.hosts, sshConfig: machines.sshConfig, registry, down };
  } catch (error) {
    await down();
    throw error;
  }
}

/** On a server of your own: slipway server bootstrap. */
async function installCaddy(host, directory) {
  const ssh = openSsh({
    destination: `root@${host.name}`,
    configFile: host.sshConfig,
    controlDirectory: join(directory, "ssh"),
  });
  const program = createReadStream(await caddyPart("caddy"));
  await ssh.upload(program, "/usr/local/bin/caddy", "0755", AbortSignal.timeout(installMs));
  await ssh.close();
}
