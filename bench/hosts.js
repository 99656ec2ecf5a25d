// What the control plane weighs with twenty services as containers on three hosts over SSH, at rest and with requests.
import { readFileSync } from "node:fs";
import { watch } from "./deploy/watcher.js";
import { floor } from "./parts/figures.js";
import { environment, Product } from "./parts/product.js";

const mostBytes = 150_000_000;
const services = 20;
const hostCount = 3;
const everyMs = 5;
const lookMs = 1_000;

export async function hostsBench({ quick = false } = {}) {
  const hosts = await realHosts();
  if (hosts === null) return [];
  const { machines, base } = hosts;
  const names = Array.from({ length: services }, (_, index) => `s${index}`);
  let product = null;
  try {
    product = await Product.make({
      base,
      env: { SLIPWAY_SSH_CONFIG: machines.sshConfig },
      services: (web) =>
        Object.fromEntries(names.map((name, index) => [name, light(web, index === 0 ? "/" : `/${name}`)])),
      target: { driver: "docker", hosts: machines.hosts.map(({ name, url, address }) => ({ name, url, address })) },
      rollout: { bake: "1s", drain: "2s" },
    });
    const after = [];
    for (const version of quick ? ["v1"] : ["v1", "v2", "v3"]) {
      product.commit(version);
      const release = await product.release();
      const deployed = await product.slipway("deploy", "--env", environment, "--release", release, "--yes");
      if (deployed.code !== 0) throw new Error(`not deployed: ${deployed.text}`);
      after.push(await largest(product, quick ? 3 : 20));
    }
    const peak = memoryOf(product.controlPlane().pid, "VmHWM");
    const seen = Math.max(...after);
    console.log(
      `  ${services} services on ${hostCount} hosts over SSH; after each deployment, MB: ${after.map(mb).join(", ")}; ever: ${mb(peak)}`,
    );
    return [
      floor(
        `hosts: control plane, ${services} services on ${hostCount} hosts`,
        `< ${mb(mostBytes)} MB`,
        `${mb(seen)} MB`,
        seen < mostBytes,
      ),
    ];
  } finally {
    await product?.close();
    await machines.down();
  }
}

async function realHosts() {
  const { startHosts } = await import("../dist/testing/hosts/hosts.js");
  const { nodeImage } = await import("../dist/testing/hosts/node-image.js");
  try {
    const machines = await startHosts(hostCount);
    return { machines, base: (await nodeImage(machines.hosts[0])).name };
  } catch (error) {
    console.log(`  not measured here: ${error.message}`);
    return null;
  }
}

/** Twenty programs at a time start on two cores: the smallest that answers, with the files of the image. */
function light(web, route) {
  const health = { ...web.health, path: "/version.js", deadline: "60s" };
  return { ...web, command: ["httpd", "-f", "-p", "3000", "-h", "/app"], routes: [route], health };
}

/** The largest of some seconds under 200 requests/s. */
async function largest(product, seconds) {
  const watcher = watch(product.port, { everyMs });
  let most = 0;
  for (let second = 0; second < seconds; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    most = Math.max(most, memoryOf(product.controlPlane().pid, "VmRSS"));
  }
  watcher.stop();
  return most;
}

function memoryOf(pid, what) {
  const [, kilobytes] =
    new RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

const mb = (bytes) => (bytes / 1e6).toFixed(0);
