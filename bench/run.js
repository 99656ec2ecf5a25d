// `npm run bench [-- deploy|detect|docker|hosts|soak|edge|engine|status|judge|pipeline|probes|triggers …] [-- --quick]`: every floor of the product in one
// run, as ratios where there is something to hold them against. Exits 1 when a floor is missed. `--quick` measures too shortly to be
// quoted.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { floor, machine, printFloors } from "./parts/figures.js";

const benches = {
  status: async (options) => (await import("./status.js")).statusBench(options),
  deploy: async (options) => (await import("./deploy.js")).deployBench(options),
  detect: async (options) => (await import("./detect.js")).detectBench(options),
  docker: async (options) => (await import("./docker.js")).dockerBench(options),
  hosts: async (options) => (await import("./hosts.js")).hostsBench(options),
  edge: async (options) => (await (await import("./edge/run.js")).edgeBench(options)).floors,
  engine: engineBench,
  judge: async (options) => (await import("./judge.js")).judgeBench(options),
  pipeline: async (options) => (await import("./pipeline.js")).pipelineBench(options),
  probes: async (options) => (await import("./probes.js")).probesBench(options),
  triggers: async (options) => (await import("./triggers.js")).triggersBench(options),
  soak: async (options) => (await import("./soak.js")).soakBench(options),
};

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const seed = args.find((arg) => arg.startsWith("--seed="))?.slice("--seed=".length);
const options = { quick, ...(seed === undefined ? {} : { seed: Number(seed) }) };
const named = args.filter((arg) => !arg.startsWith("--"));
const unknown = named.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}

const floors = [];
for (const name of named.length === 0 ? Object.keys(benches) : named) {
  console.log(`\n${name}: ${machine()}${quick ? ", quick" : ""}`);
  try {
    floors.push(...(await benches[name](options)));
  } catch (error) {
    console.error(error);
    floors.push(floor(`${name}: the bench itself`, "runs to its end", error.message, false));
  }
}
if (floors.length > 0) {
  console.log("\nFloors");
  printFloors(floors);
}
process.exitCode = floors.every((each) => each.met) ? 0 : 1;

/** Prints ratios of its own; the product promises no floor of it. In a process of its own: it leaves a warm store behind. */
async function engineBench() {
  const child = spawn(process.execPath, [fileURLToPath(new URL("engine.js", import.meta.url))], { stdio: "inherit" });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the bench of the engine ended with ${code}`);
  return [];
}
