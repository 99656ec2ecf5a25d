// How many failing answers users get until a bad release is taken back: by us, on a real edge with real processes, sockets and
// users; and by the two rules that people have today, from the same answers.
//
// Each bad version is deployed twice. Once it is judged, and what its users got is counted until it is taken back. Once it is left
// alone, and the rules of the simulator's table read what its users got. Which of a version's answers fail is a matter of their
// numbers (detect/answers.js), so both are the same answers in the same order, and the bench checks that they were.
//
// Minutes of the rules are three seconds here, and there are twenty times as many requests: each interval of a rule has as many
// as it has at 5 requests/s. Ours is not made faster: in its 250 ms between two samples of the edge, and in the time that a way back
// takes, twenty times as many users meet the bad release as would at 5 requests/s.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fiveFailedMinutes, tenPercentForFiveMinutes } from "../dist/testing/sim/detection/rules.js";
import { failed } from "./detect/answers.js";
import { floor, median, printTable } from "./parts/figures.js";
import { environment, Product } from "./parts/product.js";

const shares = [0.05, 0.1, 0.3, 0.5, 1];
/** What good versions fail in, and bad ones before they are bad. */
const baseShare = 0.002;
const rate = 100;
const faster = 20;
/** As long as the rules have in the simulator's table: ten minutes. */
const aloneS = 600;
/** Ten times fewer where there is more to lose than the fewest that can be told apart (docs/simulator.md). */
const leastRatio = 10;
const clearShare = 0.3;

const rules = { "10 % for 5 min": tenPercentForFiveMinutes, "5 failed minutes": fiveFailedMinutes };
const judged = { bake: "60s", drain: "2s" };
const good = { ...judged, bake: "3s" };
const leftAlone = { bake: "0s", drain: "2s", rules: { errorRatio: false, latency: false, healthLost: false } };

export async function detectBench({ quick = false, seed = 1 }) {
  const rounds = quick ? 1 : 7;
  const versions = new Map();
  const product = await Product.make({ files: (name) => filesOf(versions.get(name)) });
  const users = new Users(product.port);
  const deploy = async ({ name, ...version }, rollout) => {
    versions.set(name, { name, ...version });
    product.configure({ rollout });
    product.commit(name);
    const body = { environment, release: await product.release(), kind: "deploy", actor: "bench", reason: name };
    const { deployment } = await product.ask((client) => client.post("/v1/deployments", body));
    return product.ended(deployment);
  };
  try {
    const cells = shares.map((share) => ({ share, samples: [] }));
    const goods = { deployed: 0, takenBack: 0, byRules: 0 };
    for (let round = 0; round < rounds; round += 1)
      for (const { share, samples } of cells) {
        const number = `${round}-${share * 100}`;
        const base = { name: `good-${number}`, seed: 0, share: baseShare };
        const before = await deploy(base, good);
        goods.deployed += 1;
        if (before.phase !== "succeeded") goods.takenBack += 1;
        const bad = { seed: seed * 1_000 + round * shares.length + shares.indexOf(share), share };
        const caught = await deploy({ name: `judged-${number}`, ...bad }, judged);
        // What the rules would have made of the good one, from the same answers.
        const seconds = secondsOf(users.answersOf(base.name));
        if (Object.values(rules).some((rule) => rule(seconds) !== null)) goods.byRules += 1;
        await deploy({ name: `alone-${number}`, ...bad }, leftAlone);
        samples.push(await sampleOf({ caught, bad, users, number }));
      }
    return report(cells, goods);
  } finally {
    users.stop();
    await product.close();
  }
}

/** What both deployments of a bad version gave to users, once the rules have seen enough of it. */
async function sampleOf({ caught, bad, users, number }) {
  const alone = `alone-${number}`;
  let fired = {};
  for (let second = 0; second < aloneS && Object.values(fired).filter(Boolean).length < 2; ) {
    await users.more();
    const seconds = secondsOf(users.answersOf(alone));
    second = seconds.length;
    fired = Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, failedUntil(rule, seconds)]));
  }
  const answers = users.answersOf(`judged-${number}`);
  const both = [...answers, ...users.answersOf(alone)];
  return {
    caught: caught.phase === "rolled-back",
    failed: answers.filter((answer) => answer.failed).length,
    ms: answers.length === 0 ? 0 : answers.at(-1).at - answers[0].at,
    fired,
    asTold: both.every((answer) => answer.failed === failed(bad, answer.number)),
  };
}

/** In the seconds of the rules: a twentieth of a second here. */
function secondsOf(answers) {
  const lengthMs = 1_000 / faster;
  const seconds = [];
  for (const { at, failed } of answers) {
    const index = Math.floor((at - answers[0].at) / lengthMs);
    while (seconds.length <= index) seconds.push({ requests: 0, failed: 0 });
    seconds[index].requests += 1;
    if (failed) seconds[index].failed += 1;
  }
  // The last one is not over yet.
  return seconds.slice(0, -1);
}

function failedUntil(rule, seconds) {
  const at = rule(seconds);
  return at === null ? null : seconds.slice(0, at).reduce((sum, each) => sum + each.failed, 0);
}

class Users {
  #process;
  #answers = new Map();

  constructor(port) {
    const file = fileURLToPath(new URL("detect/users.js", import.meta.url));
    this.#process = fork(file, [String(port), String(rate)]);
    this.#process.on("message", (told) => {
      for (const answer of told) {
        if (!this.#answers.has(answer.version)) this.#answers.set(answer.version, []);
        this.#answers.get(answer.version).push(answer);
      }
    });
  }

  /** What a version answered so far, in the order in which it came. */
  answersOf(version) {
    return this.#answers.get(version) ?? [];
  }

  /** Resolves when more has been answered. */
  more() {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error("the users ended by themselves"));
      this.#process.once("exit", ended);
      this.#process.once("message", () => {
        this.#process.off("exit", ended);
        resolve();
      });
    });
  }

  stop() {
    if (this.#process.connected) this.#process.disconnect();
  }
}

function report(cells, goods) {
  console.log(
    `\nDetection: ${cells[0].samples.length} deployments a row, judged and left alone; ${rate} requests/s, a minute of the rules is ${60 / faster} s`,
  );
  const names = Object.keys(rules);
  const rows = cells.map(({ share, samples }) => {
    const ours = median(samples.map(({ failed }) => failed));
    const others = names.map((name) => {
      const fired = samples.map(({ fired }) => fired[name]).filter((failed) => failed !== null);
      return fired.length * 2 < samples.length ? null : median(fired);
    });
    return { share, samples, ours, others, ms: median(samples.map(({ ms }) => ms)) };
  });
  printTable([
    ["answers that fail", "caught", "failing answers", "from first to last", ...names],
    ...rows.map(({ share, samples, ours, others, ms }) => [
      `${share * 100} %`,
      `${samples.filter(({ caught }) => caught).length} of ${samples.length}`,
      `${ours}`,
      `${(ms / 1_000).toFixed(2)} s`,
      ...others.map((other) => (other === null ? "never" : `${other} (${(other / ours).toFixed(1)} x)`)),
    ]),
  ]);
  console.log(
    `  good versions taken back: ${goods.takenBack} of ${goods.deployed}; by either rule it would have been ${goods.byRules}`,
  );
  const clear = rows.filter(({ share }) => share >= clearShare);
  const least = Math.min(...clear.flatMap(({ ours, others }) => others.map((other) => (other ?? Number.NaN) / ours)));
  return [
    floor(
      `detect: failing answers, of releases that fail in ${clearShare * 100} % and more`,
      `>= ${leastRatio} x fewer than either rule`,
      `${least.toFixed(1)} x fewer`,
      least >= leastRatio,
    ),
    floor(
      "detect: bad releases taken back",
      "all",
      `${rows.flatMap(({ samples }) => samples).filter(({ caught }) => caught).length} of ${rows.length * rows[0].samples.length}`,
      rows.every(({ samples }) => samples.every(({ caught }) => caught)),
    ),
    floor("detect: good releases taken back", "0", `${goods.takenBack} of ${goods.deployed}`, goods.takenBack === 0),
    floor(
      "detect: the rules saw the same answers",
      "all",
      rows.every(({ samples }) => samples.every(({ asTold }) => asTold)) ? "all" : "not all",
      rows.every(({ samples }) => samples.every(({ asTold }) => asTold)),
    ),
  ];
}

function filesOf(version) {
  const own = (file) => readFileSync(new URL(`detect/${file}`, import.meta.url), "utf8");
  return {
    "server.js": own("server.js"),
    "answers.js": own("answers.js"),
    "version.js": `export const version = ${JSON.stringify(version)};\n`,
    "package.json": '{ "type": "module" }\n',
  };
}
