// The floors of the pipeline: what an unchanged run takes (against Turborepo on the same graph), what a step costs over `sh -c`, how
// near a wide graph comes to its critical path, and a log of 10 MB/s that somebody watches.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { floor, median, percentile, ratioOf } from "./parts/figures.js";
import { bin, Product } from "./parts/product.js";

const unchangedMs = 250;
const timesTurbo = 3;
const overheadMs = 15;
const ofCriticalPath = 1.15;
const logRate = 10_000_000;
/** A watcher and a control plane that hold a stream whole would grow by all of it. */
const flatBytes = 64 * 1024 ** 2;

export async function pipelineBench({ quick = false } = {}) {
  const product = await Product.make();
  try {
    return [
      ...(await unchanged(product, quick ? 5 : 15)),
      ...(await overhead(product, quick ? 20 : 60)),
      ...(await wide(product, quick ? 40 : 200)),
      ...(await streamed(product, quick ? 3 : 20)),
    ];
  } finally {
    await product.close();
  }
}

/** Twelve packages in four rows of three: each needs all of the row before it, as `^build` says it in Turborepo. */
const packages = Array.from({ length: 12 }, (_, index) => {
  const row = Math.floor(index / 3);
  return { name: `p${index}`, needs: row === 0 ? [] : [0, 1, 2].map((each) => `p${(row - 1) * 3 + each}`) };
});

function writePackages(directory) {
  for (const { name, needs } of packages) {
    const to = join(directory, "packages", name);
    mkdirSync(to, { recursive: true });
    const dependencies = Object.fromEntries(needs.map((each) => [each, "*"]));
    const about = { name, version: "1.0.0", scripts: { build: "node build.js" }, dependencies };
    writeFileSync(join(to, "package.json"), JSON.stringify(about));
    const build = `require("fs").mkdirSync("out", { recursive: true }); require("fs").writeFileSync("out/built", "${name}"); console.log("built ${name}");\n`;
    writeFileSync(join(to, "build.js"), build);
  }
}

async function unchanged(product, rounds) {
  const steps = Object.fromEntries(
    packages.map(({ name, needs }) => [
      name,
      {
        shell: `cd packages/${name} && node build.js`,
        inputs: [`packages/${name}/**`],
        outputs: [`packages/${name}/out`],
        needs,
      },
    ]),
  );
  writePackages(product.directory);
  product.configure({ pipeline: { steps } });
  product.commit("unchanged");
  let kept = null;
  // Steps that ran side by side are kept the next time, when they ran alone.
  for (let round = 0; round < 4 && kept !== packages.length; round += 1) {
    const run = await product.slipway("run");
    if (run.code !== 0) throw new Error(`the pipeline failed: ${run.text}`);
    kept = run.result.steps.filter(({ phase }) => phase === "restored").length;
  }
  if (kept !== packages.length) throw new Error(`only ${kept} of ${packages.length} steps are restored`);
  const turbo = turborepo();
  try {
    const ours = [];
    const inside = [];
    const theirs = [];
    for (let round = 0; round < rounds; round += 1) {
      const run = await product.slipway("run");
      ours.push(run.ms);
      inside.push(run.result.endedAt - run.result.createdAt);
      theirs.push(turbo.run());
    }
    const times = ratioOf(theirs, ours);
    console.log(`\nUnchanged: 12 steps in 4 rows, whole commands, ${rounds} interleaved rounds`);
    row("slipway run, ms", ours);
    row("  of it the run, ms", inside);
    row(`turbo ${turbo.version} run build, ms`, theirs, `${times.toFixed(2)} x ours`);
    const seen = median(ours);
    return [
      floor("unchanged run of 12 steps", `< ${unchangedMs} ms`, `${seen.toFixed(0)} ms`, seen < unchangedMs),
      floor("the same in Turborepo", `>= ${timesTurbo} x`, `${times.toFixed(2)} x`, times >= timesTurbo),
    ];
  } finally {
    turbo.remove();
  }
}

/** The same graph in npm workspaces, warm in its cache, with the daemon as it comes. */
function turborepo() {
  const directory = mkdtempSync(join(tmpdir(), "slipway-bench-turbo-"));
  const run = (program, ...args) =>
    execFileSync(program, args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env });
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", CI: "" };
  writePackages(directory);
  const npm = `npm@${run("npm", "--version").trim()}`;
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ name: "monorepo", private: true, packageManager: npm, workspaces: ["packages/*"] }),
  );
  const tasks = { build: { dependsOn: ["^build"], inputs: ["build.js", "package.json"], outputs: ["out/**"] } };
  writeFileSync(join(directory, "turbo.json"), JSON.stringify({ tasks }));
  writeFileSync(join(directory, ".gitignore"), "node_modules\nout\n.turbo\n");
  run("npm", "install", "--no-audit", "--no-fund", "--silent", "--save-dev", "turbo@2");
  run("git", "init", "--quiet", "--initial-branch=main");
  run("git", "add", "--all");
  run("git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org", "commit", "--quiet", "-m", "feat: all");
  const turbo = join(directory, "node_modules", ".bin", "turbo");
  const build = () => run(turbo, "run", "build");
  build();
  return {
    version: run(turbo, "--version").trim(),
    run: () => {
      const begun = performance.now();
      const text = build();
      const ms = performance.now() - begun;
      if (!/12 cached, 12 total/.test(text)) throw new Error(`Turborepo ran something: ${text.slice(-300)}`);
      return ms;
    },
    remove: () => {
      spawnSync(turbo, ["daemon", "stop"], { cwd: directory, env });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A chain: nothing runs beside a step, so the whole is the sum. */
async function overhead(product, count) {
  const steps = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `s${index}`,
      { shell: "true", ...(index === 0 ? {} : { needs: [`s${index - 1}`] }) },
    ]),
  );
  product.configure({ pipeline: { steps } });
  product.commit("chain");
  const costs = [];
  const bare = [];
  for (let round = 0; round < 3; round += 1) {
    const begun = performance.now();
    for (let index = 0; index < count; index += 1) spawnSync("sh", ["-c", "true"]);
    bare.push((performance.now() - begun) / count);
    const span = spanOf(await passed(product));
    costs.push(span / count - bare.at(-1));
  }
  console.log(`\nOverhead: a chain of ${count} steps that do nothing, 3 rounds`);
  row("sh -c true, ms", bare);
  row("a step over it, ms", costs);
  const seen = median(costs);
  return [floor("a step over sh -c", `< ${overheadMs} ms`, `${seen.toFixed(1)} ms`, seen < overheadMs)];
}

/** Two rows of sleeping steps, each of which needs the two before it: two of them always run, and nothing can be done earlier. */
async function wide(product, count) {
  const restMs = 150;
  const steps = Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const before = Math.floor(index / 2) - 1;
      const needs = before < 0 ? [] : [`s${before * 2}`, `s${before * 2 + 1}`];
      return [`s${index}`, { shell: `sleep ${restMs / 1000}`, needs }];
    }),
  );
  product.configure({ pipeline: { steps, parallel: 2 } });
  product.commit("wide");
  const span = spanOf(await passed(product));
  const criticalMs = (count / 2) * restMs;
  const seen = span / criticalMs;
  console.log(`\nA graph of ${count} steps of ${restMs} ms, 2 at once: critical path ${criticalMs} ms, run ${span} ms`);
  return [
    floor(
      `${count} steps, of the critical path`,
      `<= ${ofCriticalPath} x`,
      `${seen.toFixed(3)} x`,
      seen <= ofCriticalPath,
    ),
  ];
}

/** Numbered lines of 100 bytes; the watcher is the command that a person would use. */
async function streamed(product, seconds) {
  const lines = (logRate / 100) * seconds;
  const program = `
    let line = 0;
    const begun = Date.now();
    const step = () => {
      const due = Math.min(${lines}, Math.floor(((Date.now() - begun) * ${logRate / 100}) / 1000));
      let text = "";
      for (; line < due; line++) text += String(line).padStart(9, "0") + " ".repeat(90) + "\\n";
      if (text === "") return setTimeout(step, 2);
      process.stdout.write(text, () => (line < ${lines} ? setTimeout(step, 2) : undefined));
    };
    step();`;
  product.configure({ pipeline: { steps: { talk: { command: ["node", "-e", program] } } } });
  product.commit("talk");
  const { result } = await product.slipway("run", "--no-wait");
  const { pid } = product.controlPlane();
  const child = spawn(process.execPath, [bin, "logs", "--run", result.run, "--step", "talk", "--follow"], {
    cwd: product.directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const memory = [];
  const sampler = setInterval(() => memory.push([residentBytes(pid), residentBytes(child.pid)]), 250);
  const begun = performance.now();
  let next = 0;
  let rest = "";
  let broken = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    const all = (rest + chunk).split("\n");
    rest = all.pop();
    for (const each of all) {
      if (!/^\d{9} /.test(each)) continue;
      if (Number(each.slice(0, 9)) !== next) broken += 1;
      next += 1;
    }
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(sampler);
  const tookS = (performance.now() - begun) / 1000;
  const grown = [0, 1].map((side) => growth(memory.map((pair) => pair[side])));
  const rate = (next * 100) / tookS;
  console.log(
    `\nA log of ${logRate / 1e6} MB/s for ${seconds} s, watched: ${next} of ${lines} lines, ${broken} out of place`,
  );
  console.log(`  ${(rate / 1e6).toFixed(1)} MB/s arrived, the step's start and end included`);
  console.log(
    `  memory grew by ${grown.map((each) => `${(each / 1e6).toFixed(0)} MB`).join(" (control plane), ")} (watcher)`,
  );
  const whole = code === 0 && next === lines && broken === 0;
  return [
    floor(`log of ${logRate / 1e6} MB/s, watched`, `all ${lines} lines`, `${next} lines`, whole),
    floor("  arrives as fast", `>= 0.9 x`, `${(rate / logRate).toFixed(2)} x`, rate >= logRate * 0.9),
    floor(
      "  memory grows by",
      `< ${flatBytes / 1e6} MB`,
      `${(Math.max(...grown) / 1e6).toFixed(0)} MB`,
      Math.max(...grown) < flatBytes,
    ),
  ];
}

/** From the first quarter to the last: what is garbage in between does not count. */
function growth(bytes) {
  const quarter = Math.max(1, Math.floor(bytes.length / 4));
  return Math.max(0, median(bytes.slice(-quarter)) - median(bytes.slice(0, quarter)));
}

function residentBytes(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function passed(product) {
  const { code, result, text } = await product.slipway("run");
  if (code !== 0) throw new Error(`the pipeline failed: ${text}`);
  return result;
}

function spanOf({ steps }) {
  return Math.max(...steps.map(({ endedAt }) => endedAt)) - Math.min(...steps.map(({ startedAt }) => startedAt));
}

function row(name, numbers, extra = "") {
  const [mid, slow] = [median(numbers), percentile(numbers, 90)].map((each) => each.toFixed(1).padStart(8));
  console.log(`  ${name.padEnd(30)} p50 ${mid}  p90 ${slow}  ${extra}`.trimEnd());
}
