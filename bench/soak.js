// Nobody may notice: deployments, rollbacks, replaced edge workers and a killed control plane, in random order, under open
// traffic. Every failed request is told with what was going on. The seed is printed; `--seed=<number>` gives the same order.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { floor, median } from "./parts/figures.js";
import { environment, Product } from "./parts/product.js";

const rate = 500;
/** As many as are kept whatever becomes of them: one that was rolled back from counts as bad, and is pruned after that. */
const versions = 3;
/** How often each is chosen, of ten. */
const weights = { deploy: 4, rollback: 2, reload: 2, kill: 2 };
/** A deployment's length and some more: the kill may come before, in the middle of, or after each step. */
const killWithinMs = 2_000;
/** The last replaced workers say goodbye for 3 s. */
const restMs = 4_000;
const shownFailures = 20;

export async function soakBench({ quick = false, seed = Math.floor(Math.random() * 2 ** 31) } = {}) {
  const count = quick ? 10 : 50;
  const product = await Product.make({
    services: (web) => ({ web: { ...web, instances: 2 }, api: { ...web, instances: 2, routes: ["/api"] } }),
    rollout: { bake: "1s", drain: "5s" },
    retention: { releases: 10 },
  });
  try {
    const soak = new Soak(product, randomFrom(seed));
    await soak.prepare();
    console.log(`\nSoak: ${rate} requests/s, ${count} operations, seed ${seed}`);
    const traffic = fork(fileURLToPath(new URL("soak/load.js", import.meta.url)), [
      `http://127.0.0.1:${product.port}`,
      String(rate),
    ]);
    const result = new Promise((resolve, reject) => {
      traffic.once("message", resolve);
      traffic.once("exit", () => reject(new Error("the traffic ended by itself")));
    });
    for (let done = 0; done < count; done += 1) await soak.one();
    await new Promise((resolve) => setTimeout(resolve, restMs));
    traffic.send("stop");
    return report(await result, soak, count);
  } finally {
    await product.close();
  }
}

class Soak {
  /** What was done, from when to when. */
  journal = [];
  /** What did not end as it should, whatever the requests say. */
  surprises = [];
  #product;
  #random;
  #releases = [];

  constructor(product, random) {
    this.#product = product;
    this.#random = random;
  }

  /** A few releases, live one after the other, so that there is something to go back to. */
  async prepare() {
    for (let version = 1; version <= versions; version += 1) {
      this.#product.commit(`v${version}`);
      this.#releases.push(await this.#product.release());
      const { code, text } = await this.#deploy(this.#releases.at(-1));
      if (code !== 0) throw new Error(`v${version} was not deployed: ${text}`);
    }
  }

  async one() {
    const what = this.#choose(Object.entries(weights).flatMap(([name, times]) => Array(times).fill(name)));
    const entry = { what, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.journal.push(entry);
    try {
      await this[what](entry);
    } catch (error) {
      this.surprises.push(`${what}: ${error.message}`);
    }
    entry.to = Date.now();
  }

  async deploy() {
    this.#expectEnd("deploy", await this.#deploy(await this.#another()));
  }

  async rollback() {
    this.#expectEnd("rollback", await this.#product.slipway("rollback", environment));
  }

  /** Every worker of the edge is replaced by a new one. */
  async reload() {
    const { code, text } = await this.#product.slipway("edge", "reload");
    if (code !== 0) this.surprises.push(`edge reload: ${text}`);
  }

  /** SIGKILL for the control plane in the middle of a deployment or a rollback; then `up`, as a person would. */
  async kill(entry) {
    const release = await this.#another();
    const back = this.#random() < 0.25;
    const under = back ? this.#product.slipway("rollback", environment) : this.#deploy(release);
    const afterMs = Math.round(this.#random() * killWithinMs);
    entry.what = `kill ${afterMs} ms into a ${back ? "rollback" : "deployment"}`;
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    process.kill(this.#product.controlPlane().pid, "SIGKILL");
    const up = await this.#product.slipway("up");
    if (up.code !== 0) this.surprises.push(`up after ${entry.what}: ${up.text}`);
    this.#expectEnd(entry.what, await under);
  }

  #deploy(release) {
    return this.#product.slipway("deploy", "--env", environment, "--release", release, "--yes");
  }

  /** A release that is not live now. */
  async #another() {
    const { environments } = await this.#product.ask((client) => client.get("/v1/status"));
    const live = environments.find((each) => each.name === environment)?.live?.id;
    return this.#choose(this.#releases.filter((release) => release !== live));
  }

  #expectEnd(what, { code, text, result }) {
    if (code === 0 && result.phase === "succeeded") return;
    // As far back as it goes: that is an answer too.
    if (result?.error?.code === "NOTHING_TO_ROLL_BACK") return;
    this.surprises.push(`${what} ended with ${code}: ${result?.reason ?? result?.error?.message ?? text}`);
  }

  #choose(list) {
    return list[Math.floor(this.#random() * list.length)];
  }
}

function report({ sent, seconds, failures, p50, p99, max }, { journal, surprises }, count) {
  for (const name of Object.keys(weights)) {
    const took = journal.filter(({ what }) => what.startsWith(name)).map(({ from, to }) => to - from);
    const times = took.length === 0 ? "" : `, median ${(median(took) / 1000).toFixed(1)} s`;
    console.log(`  ${name.padEnd(9)} ${String(took.length).padStart(3)} times${times}`);
  }
  console.log(
    `  ${sent} requests in ${seconds.toFixed(0)} s (${(sent / seconds).toFixed(0)}/s), ${failures.length} failed; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, slowest ${max.toFixed(0)} ms`,
  );
  for (const { at, ms, kind, path, why } of failures.slice(0, shownFailures)) {
    const index = journal.findLastIndex(({ from }) => from <= at);
    const { what, from, to } = journal[index] ?? { what: "nothing yet", from: at, to: at };
    const when = at <= to ? `${at - from} ms into` : `${at - to} ms after`;
    console.log(`    ${kind} ${path}: ${why} (after ${ms} ms); sent ${when} operation ${index + 1}, ${what}`);
  }
  for (const surprise of surprises) console.log(`    surprise: ${surprise}`);
  return [
    floor(
      `soak: failed requests over ${count} operations at ${rate}/s`,
      "0",
      `${failures.length} of ${sent}`,
      failures.length === 0,
    ),
    floor(
      "soak: every operation ends as it should",
      "all",
      `${count - surprises.length} of ${count}`,
      surprises.length === 0,
    ),
  ];
}

/** mulberry32, public domain: small, and the same everywhere. */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
