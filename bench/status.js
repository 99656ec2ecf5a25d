// What a person waits for when they ask how things are: the whole `slipway status` command, cold, against `node -e 0`.
import { spawnSync } from "node:child_process";
import { floor, median, percentile, ratioOf } from "./parts/figures.js";
import { bin, environment, Product } from "./parts/product.js";

const mostMs = 250;

export async function statusBench({ quick = false } = {}) {
  const rounds = quick ? 7 : 15;
  const product = await Product.make({ rollout: { bake: "0s" } });
  try {
    product.commit("v1");
    const release = await product.release();
    const deployed = await product.slipway("deploy", "--env", environment, "--release", release, "--yes");
    if (deployed.code !== 0) throw new Error(`not deployed: ${deployed.text}`);
    const bare = [];
    const status = [];
    for (let round = 0; round < rounds; round += 1) {
      bare.push(wallMs(product.directory, "-e", "0"));
      status.push(wallMs(product.directory, bin, "status"));
    }
    return report(bare, status);
  } finally {
    await product.close();
  }
}

function wallMs(cwd, ...args) {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - begun;
}

function report(bare, status) {
  const row = (name, numbers, extra = "") =>
    console.log(
      `  ${name.padEnd(20)} ${median(numbers).toFixed(0).padStart(6)} ${percentile(numbers, 90).toFixed(0).padStart(6)}${extra}`,
    );
  console.log(`\nStatus: whole command, cold, ${bare.length} interleaved rounds`);
  console.log(`  ${"".padEnd(20)}    p50    p90   of bare`);
  row("node -e 0, ms", bare);
  row("slipway status, ms", status, `${ratioOf(status, bare).toFixed(2).padStart(8)} x`);
  const seen = median(status);
  return [floor("slipway status, cold", `< ${mostMs} ms`, `${seen.toFixed(0)} ms`, seen < mostMs)];
}
