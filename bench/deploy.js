// How fast a release gets its users, and how fast the one before gets them back. Against a hand-written script that starts
// the same program, polls its health and swaps a table in its own memory (deploy/floor.js), in interleaved rounds.
import { fork } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { watch } from "./deploy/watcher.js";
import { floor, median, percentile, ratioOf } from "./parts/figures.js";
import { environment, Product } from "./parts/product.js";

/** The floors of the product. */
const mostRatio = 1.3;
const mostBackMs = 100;
const mostCommandMs = 500;

/** Between rounds, so that what the last one left to do is done. */
const restMs = 300;

export async function deployBench({ quick = false } = {}) {
  const rounds = quick ? 5 : 41;
  const directory = mkdtempSync(join(tmpdir(), "slipway-bench-floor-"));
  const product = await Product.make({ rollout: { bake: "100ms", drain: "5s" } });
  const script = fork(fileURLToPath(new URL("deploy/floor.js", import.meta.url)));
  try {
    const { port } = await message(script);
    const results = [];
    // The first round is for warming up: nothing is live yet.
    for (let round = 0; round <= rounds; round += 1) {
      const version = `v${round}`;
      const made = product.commit(version);
      const unpacked = join(directory, version);
      cpSync(made, unpacked, { recursive: true });
      const release = await product.release();
      const sides = [
        async () => ({ floorMs: await byScript(script, port, unpacked, version) }),
        async () => byUs(product, release, version, { rollback: round > 0 }),
      ];
      // Who goes first changes, so that neither always meets the machine as the other has left it.
      const result = {};
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        Object.assign(result, await side());
        await new Promise((resolve) => setTimeout(resolve, restMs));
      }
      if (round > 0) results.push(result);
    }
    return report(results);
  } finally {
    script.disconnect();
    await product.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** From the command to the first answer by the new version after which no other came. */
async function byScript(script, port, directory, version) {
  const watcher = watch(port);
  const begun = performance.now();
  script.send({ directory });
  const ms = (await watcher.moved(version)) - begun;
  watcher.stop();
  return ms;
}

/** The same from the request to the API; then back again by the command line, while the release before is warm. */
async function byUs(product, release, version, { rollback }) {
  const watcher = watch(product.port);
  const begun = performance.now();
  const asked = Date.now();
  const body = { environment, release, kind: "deploy", actor: "bench", reason: "bench" };
  const { deployment } = await product.ask((client) => client.post("/v1/deployments", body));
  const answeredMs = performance.now() - begun;
  const liveMs = (await watcher.moved(version)) - begun;
  watcher.stop();
  const detail = await product.ended(deployment);
  if (detail.phase !== "succeeded") throw new Error(`${version} ${detail.phase}: ${detail.reason}`);
  const result = { liveMs, recordedMs: detail.liveAt - asked, answeredMs, steps: stepsOf(detail, asked) };
  if (!rollback) return result;
  const back = await product.slipway("rollback", environment);
  if (back.code !== 0) throw new Error(`no rollback: ${back.text}`);
  return { ...result, backMs: back.result.liveAt - back.result.createdAt, commandMs: back.ms };
}

/** When each step began, in ms since the request. */
function stepsOf(detail, asked) {
  return Object.fromEntries(detail.history.map((entry) => [entry.event.replace("deployment.", ""), entry.at - asked]));
}

function report(results) {
  const of = (key) => results.map((result) => result[key]);
  const row = (name, numbers, extra = "") =>
    console.log(
      `  ${name.padEnd(52)} ${median(numbers).toFixed(0).padStart(6)} ${percentile(numbers, 90).toFixed(0).padStart(6)}${extra}`,
    );
  const ratio = ratioOf(of("liveMs"), of("floorMs"));
  const times = (key) => `${ratioOf(of(key), of("floorMs")).toFixed(2).padStart(8)} x`;
  console.log(`\nDeployments: one service, one instance, ${results.length} interleaved rounds`);
  console.log(`  ${"".padEnd(52)}    p50    p90  of floor`);
  row("hand-written script, command to new answers, ms", of("floorMs"));
  row("slipway, request to new answers, ms", of("liveMs"), times("liveMs"));
  row("slipway, request to live as recorded, ms", of("recordedMs"), times("recordedMs"));
  row("slipway, rollback: decision to all traffic back, ms", of("backMs"));
  row("slipway rollback, the whole command, ms", of("commandMs"));
  const names = Object.keys(results[0].steps).filter((name) => results.every(({ steps }) => name in steps));
  const begins = names.map((name) => `${name} ${median(results.map(({ steps }) => steps[name])).toFixed(0)}`);
  console.log(`  steps begin after, ms: request answered ${median(of("answeredMs")).toFixed(0)}, ${begins.join(", ")}`);
  const back = median(of("backMs"));
  const command = median(of("commandMs"));
  return [
    floor(
      "deploy: traffic fully on the new release",
      `<= ${mostRatio} x script`,
      `${ratio.toFixed(2)} x`,
      ratio <= mostRatio,
    ),
    floor(
      "rollback, warm: decision to all traffic back",
      `<= ${mostBackMs} ms`,
      `${back.toFixed(0)} ms`,
      back <= mostBackMs,
    ),
    floor(
      "slipway rollback: command to done",
      `< ${mostCommandMs} ms`,
      `${command.toFixed(0)} ms`,
      command < mostCommandMs,
    ),
  ];
}

function message(child) {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`the script ended with ${code}`)));
  });
}
