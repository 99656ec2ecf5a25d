// What judging costs beside a real edge that carries 5,000 requests a second: the CPU of the control plane in a bake that compares the
// candidate with stable, and in the same bake without, in turn, against what the edge uses for the requests.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { call } from "../../dist/drivers/edges/embedded/control-client.js";
import { controlSocket } from "../../dist/drivers/edges/embedded/launch.js";
import { ownCpuUs, treeCpuUs } from "../edge/cpu.js";
import { median, printTable } from "../parts/figures.js";
import { environment, Product } from "../parts/product.js";

const rate = 5_000;
const connections = 50;
const seconds = 8;
/** Before it is measured: what a deployment leaves to be done is done then. */
const settleS = 2;
const bakeS = settleS + seconds + 4;

const sides = {
  judged: {},
  "not judged": { rules: { errorRatio: false, latency: false } },
};

export async function besideEdge(quick) {
  const rounds = quick ? 2 : 6;
  const product = await Product.make({ files: filesOf });
  const load = fork(fileURLToPath(new URL("../edge/load.js", import.meta.url)));
  try {
    const deploy = async (version, rollout) => {
      product.configure({ rollout: { drain: "1s", ...rollout } });
      product.commit(version);
      const body = { environment, release: await product.release(), kind: "deploy", actor: "bench", reason: version };
      return (await product.ask((client) => client.post("/v1/deployments", body))).deployment;
    };
    await product.ended(await deploy("first", { bake: "1s" }));
    const edge = (await call(controlSocket(join(product.state, "edge")), "GET", "/status")).pid;
    const plane = product.controlPlane().pid;
    const carry = async (time) => {
      load.send({ port: product.port, connections, seconds: time, rate });
      return (await once(load, "message"))[0];
    };
    const measure = async (deployment) => {
      await baking(product, deployment);
      await carry(settleS);
      const before = { plane: ownCpuUs(plane), edge: treeCpuUs(edge) };
      const result = await carry(seconds);
      const [planeUs, edgeUs] = [ownCpuUs(plane) - before.plane, treeCpuUs(edge) - before.edge];
      const { phase } = await product.ask((client) => client.get(`/v1/deployments/${deployment}`));
      if (phase !== "baking") throw new Error(`the bake was over before it was measured: it is ${phase}`);
      await product.ended(deployment);
      const core = 1e6 * result.seconds;
      return { ...result, rate: result.answers / result.seconds, plane: planeUs / core, edge: edgeUs / core };
    };
    const pairs = [];
    for (let round = 0; round < rounds; round += 1) {
      const pair = {};
      const order = round % 2 === 0 ? Object.keys(sides) : Object.keys(sides).toReversed();
      for (const side of order)
        pair[side] = await measure(await deploy(`${side} ${round}`, { bake: `${bakeS}s`, ...sides[side] }));
      pairs.push(pair);
    }
    return report(pairs);
  } finally {
    load.disconnect();
    await product.close();
  }
}

async function baking(product, deployment) {
  await product.ask(async (client) => {
    for await (const { phase, reason, ended } of client.stream(`/v1/deployments/${deployment}/follow`)) {
      if (phase === "baking") return;
      if (ended) throw new Error(`it ended: ${reason}`);
    }
  });
}

function report(pairs) {
  const row = (side) => {
    const of = (key) => median(pairs.map((pair) => pair[side][key]));
    const times = [of("p50"), of("p99")].map((ms) => ms.toFixed(2));
    return [side, of("rate").toFixed(0), percent(of("edge")), percent(of("plane")), ...times];
  };
  console.log(`\n  Beside a real edge, ${pairs.length} pairs of bakes, ${seconds} s of each; CPU of one core`);
  const head = ["", "requests/s", "edge", "control plane", "p50 ms", "p99 ms"];
  printTable([head, ...Object.keys(sides).map(row)]);
  const all = pairs.flatMap((pair) => Object.values(pair));
  return {
    rate: median(all.map((each) => each.rate)),
    share:
      median(pairs.map((pair) => pair.judged.plane - pair["not judged"].plane)) / median(all.map(({ edge }) => edge)),
    failures: all.reduce((sum, { failures }) => sum + failures, 0),
  };
}

const percent = (share) => `${(share * 100).toFixed(2)} %`;

/** The cheapest service there is: the machine is for the edge. */
function filesOf(version) {
  return {
    "server.js": `import { createServer } from "node:http";
import "./version.js";
const server = createServer((_request, response) => response.end("answered\\n"));
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1");
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
`,
    "version.js": `export const version = ${JSON.stringify(version)};\n`,
    "package.json": '{ "type": "module" }\n',
  };
}
