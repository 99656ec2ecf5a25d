// Containers on a real engine here, under 200 requests/s: a deployment against a hand-written script over the Engine API
// (docker/floor.js) in interleaved rounds, against a Swarm service update on the same engine, and against what Kamal 2 took when
// that was measured; ten services at once; and the ways back.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { watch } from "./deploy/watcher.js";
import { swarmUpdates } from "./docker/swarm.js";
import { floor, median, percentile, ratioOf } from "./parts/figures.js";
import { environment, filesOf, Product } from "./parts/product.js";

const atMost = { script: 1.25, ten: 1.5, warmMs: 200, stopped: 1.2 };
const fasterThan = { swarm: 8, kamal: 4 };
/** Kamal 2.12 with kamal-proxy, over SSH, with a local registry, 200 requests/s, the same two cores: median of 7 (2026-11). */
const kamalMs = 3_800;
/** 200 requests a second. */
const everyMs = 5;
const restMs = 300;
const several = 10;
const port = 3000;

export async function dockerBench({ quick = false } = {}) {
  const floors = [];
  for (const version of ["20.10", "newest"]) {
    const parts = await engineParts(version);
    if (parts === null) continue;
    const { engine, node } = parts;
    try {
      console.log(`\nContainers on an engine here, ${version}`);
      const one = await oneService(engine, node, quick ? 5 : 50);
      const swarm = version === "20.10" ? await swarmUpdates(asker(engine), one.images, quick ? 1 : 3) : null;
      const ten = await tenServices(engine, node, one.images[0], quick ? 1 : 5);
      floors.push(...report(version, { ...one, swarm, ten }));
    } finally {
      await engine.down();
    }
  }
  return floors;
}

/** A real engine of its own; null, and the reason on the screen, where there can be none. */
async function engineParts(version) {
  const { startEngine } = await import("../dist/testing/hosts/engine.js");
  const { nodeImage } = await import("../dist/testing/hosts/node-image.js");
  try {
    const engine = await startEngine({ version });
    return { engine, node: (await nodeImage(engine)).name };
  } catch (error) {
    console.log(`  not measured here: ${error.message}`);
    return null;
  }
}

async function oneService(engine, node, rounds) {
  const product = await Product.make({
    base: node,
    target: { driver: "docker", hosts: [engine.url] },
    rollout: { bake: "100ms", drain: "2s" },
  });
  const script = fork(fileURLToPath(new URL("docker/floor.js", import.meta.url)), [engine.socket]);
  try {
    const { port: scriptPort } = await message(script);
    const results = [];
    const images = [];
    const load = { requests: 0, failed: 0 };
    // The first round is for warming up: nothing is live yet.
    for (let round = 0; round <= rounds; round += 1) {
      const version = `v${round}`;
      product.commit(version);
      const release = await product.release();
      const image = await scriptImage(engine, version);
      const onBridge = { image: await scriptImage(engine, `${version}-bridge`), within: "bridge" };
      images.push(image);
      const sides = [
        // What is started again later is the last of these.
        async () => {
          const bridgeMs = await byScript(script, scriptPort, onBridge, `${version}-bridge`);
          await rest();
          return { bridgeMs, floorMs: await byScript(script, scriptPort, { image }, version) };
        },
        async () => byUs(product, release, version, round > 0 ? load : { requests: 0, failed: 0 }),
      ];
      const result = {};
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        Object.assign(result, await side());
        await rest();
      }
      if (round > 0) results.push(result);
    }
    const back = await waysBack(product, script, { newest: rounds + 1, rounds: Math.min(rounds, 9) });
    return { results, images: images.slice(-2), load, ...back };
  } finally {
    script.disconnect();
    await product.close();
  }
}

async function byScript(script, scriptPort, { image, within }, version) {
  const watcher = watch(scriptPort, { everyMs });
  const begun = performance.now();
  script.send({ deploy: image, ...(within !== undefined && { within }) });
  const ms = (await watcher.moved(version)) - begun;
  await message(script);
  watcher.stop();
  return ms;
}

/** From the request to the API to the first new answer after which no other came; the command is over when the bake is. */
async function byUs(product, release, version, load) {
  const watcher = watch(product.port, { everyMs });
  const begun = performance.now();
  const asked = Date.now();
  const body = { environment, release, kind: "deploy", actor: "bench", reason: "bench" };
  const { deployment } = await product.ask((client) => client.post("/v1/deployments", body));
  const liveMs = (await watcher.moved(version)) - begun;
  const detail = await product.ended(deployment);
  const endedMs = performance.now() - begun;
  watcher.stop();
  if (detail.phase !== "succeeded") throw new Error(`${version} ${detail.phase}: ${detail.reason}`);
  load.requests += watcher.counts.requests;
  load.failed += watcher.counts.failed;
  const steps = detail.history.map((entry) => [entry.event.replace("deployment.", ""), entry.at - asked]);
  return { liveMs, endedMs, steps: Object.fromEntries(steps) };
}

/** Back to the release before, whose container runs still; and again, to one whose container was stopped. */
async function waysBack(product, script, { newest, rounds }) {
  const backTo = (number) => product.slipway("rollback", environment, "--to", `r${number}`, "--force");
  const warm = [];
  const stopped = [];
  const again = [];
  for (let round = 0; round < rounds; round += 1) {
    warm.push(tookMs(await backTo(newest - 1)));
    await rest();
    // It was stopped when the newest became live.
    stopped.push(tookMs(await backTo(newest - 2)));
    await rest();
    again.push((await asked(script, { startAgain: true })).ms);
    // As it was before: the newest is live, the one before it is warm.
    for (const number of [newest - 1, newest]) {
      tookMs(await backTo(number));
      await rest();
    }
  }
  return { warm, stopped, again };
}

function tookMs({ code, text, result }) {
  if (code !== 0) throw new Error(`no rollback: ${text}`);
  return result.liveAt - result.createdAt;
}

async function tenServices(engine, node, image, rounds) {
  const names = Array.from({ length: several }, (_, index) => `s${index}`);
  const product = await Product.make({
    base: node,
    services: (web) => Object.fromEntries(names.map((name) => [name, { ...web, routes: [`/${name}`] }])),
    target: { driver: "docker", hosts: [engine.url] },
    rollout: { bake: "0s", drain: "2s" },
  });
  const script = fork(fileURLToPath(new URL("docker/floor.js", import.meta.url)), [engine.socket]);
  try {
    await message(script);
    const results = [];
    for (let round = 0; round <= rounds; round += 1) {
      product.commit(`v${round}`);
      const release = await product.release();
      const floorMs = (await asked(script, { several: { count: several, image } })).ms;
      await rest();
      const body = { environment, release, kind: "deploy", actor: "bench", reason: "bench" };
      const { deployment } = await product.ask((client) => client.post("/v1/deployments", body));
      const detail = await product.ended(deployment);
      if (detail.phase !== "succeeded") throw new Error(`ten services: ${detail.phase}: ${detail.reason}`);
      await rest();
      if (round > 0) results.push({ floorMs, liveMs: detail.liveAt - detail.createdAt });
    }
    return results;
  } finally {
    script.disconnect();
    await product.close();
  }
}

/** The same files over the same base as the Dockerfile's, given to the engine as it is. */
async function scriptImage(engine, version) {
  const { layerOf, loadImage } = await import("../dist/testing/hosts/image-archive.js");
  const { nodeConfig, nodeLayer } = await import("../dist/testing/hosts/node-image.js");
  const { architecture } = await import("../dist/testing/hosts/shell-image.js");
  const files = Object.entries(filesOf(version)).map(([name, text]) => [`app/${name}`, text]);
  const layers = [await nodeLayer(), layerOf(Object.fromEntries(files))];
  const config = { ...nodeConfig, Cmd: ["node", "server.js"], ExposedPorts: { [`${port}/tcp`]: {} } };
  return (await loadImage(engine, `script/web:${version}`, { architecture, config, layers })).name;
}

function asker(engine) {
  return async (method, path, body) => {
    const { engineRequest } = await import("../dist/testing/hosts/engine-request.js");
    const content = body === undefined ? undefined : { type: "application/json", content: JSON.stringify(body) };
    const text = await engineRequest(engine, method, path, content);
    return text.trim() === "" ? null : JSON.parse(text);
  };
}

const rest = () => new Promise((resolve) => setTimeout(resolve, restMs));

function asked(script, what) {
  const answered = message(script);
  script.send(what);
  return answered;
}

function message(child) {
  return new Promise((resolve, reject) => {
    const gone = (code) => reject(new Error(`the script ended with ${code}`));
    child.once("exit", gone);
    child.once("message", (told) => {
      child.off("exit", gone);
      resolve(told);
    });
  });
}

function report(version, { results, load, warm, stopped, again, swarm, ten }) {
  const row = (name, numbers, extra = "") =>
    console.log(
      `  ${name.padEnd(62)} ${median(numbers).toFixed(0).padStart(6)} ${percentile(numbers, 90).toFixed(0).padStart(6)}${extra}`,
    );
  const of = (key) => results.map((result) => result[key]);
  const script = ratioOf(of("liveMs"), of("floorMs"));
  const ours = median(of("liveMs"));
  const tenRatio = ratioOf(
    ten.map(({ liveMs }) => liveMs),
    ten.map(({ floorMs }) => floorMs),
  );
  const stoppedRatio = ratioOf(stopped, again);
  console.log(`  ${results.length} deployments, ${load.requests} requests at 200 a second`);
  console.log(`  ${"".padEnd(62)}    p50    p90`);
  row("hand-written script over the Engine API, to new answers, ms", of("floorMs"));
  row("the same on the engine's default bridge: nothing has a name, ms", of("bridgeMs"));
  row("slipway, request to new answers, ms", of("liveMs"), `  ${script.toFixed(2)} x`);
  row("slipway, request to the end of a bake of 100 ms, ms", of("endedMs"));
  if (swarm !== null) {
    const times = (median(swarm) / ours).toFixed(1);
    row("Swarm, service update to completed (monitor 5 s), ms", swarm, `  ${times} x ours`);
    row("Kamal 2.12, the command, as measured elsewhere (not run here), ms", [kamalMs]);
  }
  row(
    "ten at once: the engine's own starts until healthy, ms",
    ten.map(({ floorMs }) => floorMs),
  );
  row(
    "ten at once: slipway, ten services, request to live, ms",
    ten.map(({ liveMs }) => liveMs),
    `  ${tenRatio.toFixed(2)} x`,
  );
  row("rollback, warm: decision to all traffic back, ms", warm);
  row("start of a stopped container, until healthy, ms", again);
  row("rollback to a stopped container, ms", stopped, `  ${stoppedRatio.toFixed(2)} x`);
  const names = Object.keys(results[0].steps).filter((name) => results.every(({ steps }) => name in steps));
  const begins = names.map((name) => `${name} ${median(results.map(({ steps }) => steps[name])).toFixed(0)}`);
  console.log(`  steps begin after, ms: ${begins.join(", ")}`);
  const times = (ratio) => `${ratio.toFixed(2)} x`;
  const held = (what, ratio, limit, than) =>
    floor(`docker ${version}: ${what}`, `<= ${limit} x ${than}`, times(ratio), ratio <= limit);
  const faster = (what, ratio, least) =>
    floor(`docker ${version}: faster than ${what}`, `>= ${least} x`, times(ratio), ratio >= least);
  return [
    held("traffic fully on the new release", script, atMost.script, "script"),
    ...(swarm === null
      ? []
      : [
          faster("a Swarm service update", median(swarm) / ours, fasterThan.swarm),
          faster("Kamal 2 (figure of the reference)", kamalMs / ours, fasterThan.kamal),
        ]),
    floor(
      `docker ${version}: failed requests in ${results.length} deploys`,
      "0",
      `${load.failed} of ${load.requests}`,
      load.failed === 0,
    ),
    held("ten services at once", tenRatio, atMost.ten, "engine"),
    floor(
      `docker ${version}: rollback, warm`,
      `< ${atMost.warmMs} ms`,
      `${median(warm).toFixed(0)} ms`,
      median(warm) < atMost.warmMs,
    ),
    held("rollback to a stopped container", stoppedRatio, atMost.stopped, "start + health"),
  ];
}
