import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openSsh, type Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { Edge } from "../../../ports/edge.ts";
import { caddyPart } from "../../../testing/caddy.ts";
import type { EdgeUnderTest } from "../../../testing/conformance/edge.ts";
import { startHosts, type TestHost, type TestHosts } from "../../../testing/hosts/hosts.ts";
import { remoteCaddyEdge } from "./index.ts";

/** One host behind SSH with Caddy on it, for all tests of a file. */
export type CaddyHost = {
  readonly hosts: TestHosts;
  readonly host: TestHost;
  /** As a control plane has it. */
  readonly ssh: Ssh;
  /** One more, for another control plane. */
  connection(): Ssh;
  down(): Promise<void>;
};

export const remoteProgram = "/usr/local/bin/caddy";

export async function startCaddyHost(): Promise<CaddyHost> {
  const hosts = await startHosts(1);
  const host = hosts.hosts[0] as TestHost;
  const connections: Ssh[] = [];
  const connection = (): Ssh => {
    const ssh = openSsh({
      destination: `root@${host.name}`,
      configFile: host.sshConfig,
      controlDirectory: join(hosts.directory, `c${connections.length}`),
    });
    connections.push(ssh);
    return ssh;
  };
  const ssh = connection();
  await ssh.upload(createReadStream(await caddyPart("caddy")), remoteProgram, "0755", AbortSignal.timeout(60_000));
  return {
    hosts,
    host,
    ssh,
    connection,
    async down() {
      for (const one of connections) await one.close();
      await hosts.down();
    },
  };
}

/** What a service manager would do: Caddy, unless it runs. `$1` the program, `$2` the edge's directory. */
const launch = `kill -0 "$(cat "$2/caddy.pid")" 2>/dev/null || {
setsid sh -c 'echo $$ > "$1/caddy.pid"; exec "$0" run --config "$1/caddy.json"' "$1" "$2" </dev/null >"$2/caddy.log" 2>&1 & }`;

export const launchIn = (directory: string): readonly string[] => ["sh", "-c", launch, "sh", remoteProgram, directory];

let made = 0;

/** A real Caddy on the host, in a directory of its own. */
export function makeRemoteCaddyEdge({ hosts, host, ssh, connection }: CaddyHost): EdgeUnderTest {
  made += 1;
  const directory = `/var/lib/edge-${made}`;
  const edges: Edge[] = [];
  const edgeBy = (by: Ssh): Edge => {
    const options = { directory, program: remoteProgram, launch: launchIn(directory), filesEveryMs: 500 };
    const edge = remoteCaddyEdge(by, options);
    edges.push(edge);
    return edge;
  };
  return {
    edge: edgeBy(ssh),
    again: () => edgeBy(connection()),
    elsewhere: {
      address: host.address,
      services: hosts.gateway,
      async carry(file) {
        if (!existsSync(file)) return void (await host.run(["rm", "-f", file]));
        await host.run(["mkdir", "-p", dirname(file)]);
        await ssh.upload(await readFile(file), file, "0600", AbortSignal.timeout(10_000));
      },
    },
    async dispose() {
      for (const edge of edges) await edge.stop(0).catch(() => undefined);
      // Waits for its end, and fails when there is none.
      const gone =
        'for i in $(seq 300); do kill -0 "$(cat "$1/caddy.pid")" 2>/dev/null || exit 0; sleep 0.1; done; exit 1';
      await host.run(["sh", "-c", gone, "sh", directory]);
    },
  };
}
