// What an example acts through: the `slipway` command, the traffic, and a view of both on the terminal.
import { fork, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "../../dist/api/client.js";
import { LiveLines } from "../../dist/cli/terminal/live.js";
import { sparkline, style } from "../../dist/cli/terminal/style.js";

export const slipwayBin = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));
const trafficFile = fileURLToPath(new URL("./traffic.js", import.meta.url));
const drawMs = 100;
const shownSeconds = 40;

export class Stage {
  constructor({ directory, origin }) {
    this.directory = directory;
    this.origin = origin;
    this.interactive = process.stdout.isTTY === true;
    this.live = new LiveLines(process.stdout);
    this.traffic = null;
    this.child = null;
    this.rates = [];
    this.mix = {};
    this.worstP99 = 0;
    this.now = "";
  }

  print(...lines) {
    if (this.interactive) this.live.print(lines);
    else process.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Runs `slipway …` as a person would, shows what it is doing meanwhile, and gives its result and how long it took. */
  async slipway(args, { show = true } = {}) {
    if (show) this.print(`   ${style.quiet("$")} slipway ${args.join(" ")}`);
    const started = performance.now();
    const child = spawn(process.execPath, [slipwayBin, ...args, "--json"], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    const ms = performance.now() - started;
    const lines = text.trim().split("\n");
    return { code, ms, result: JSON.parse(lines.at(-1) || "null") };
  }

  startTraffic(rate) {
    this.child = fork(trafficFile, [this.origin, String(rate)]);
    this.child.on("message", (report) => {
      this.traffic = report;
      this.rates.push(report.window.answered);
      this.mix = report.window.byVersion;
      this.worstP99 = Math.max(this.worstP99, report.window.p99Ms);
    });
    if (this.interactive) this.drawing = setInterval(() => this.draw(), drawMs);
    this.watching = setInterval(() => void this.look(), 150);
  }

  /** Ends the traffic after its last answer, and gives the totals. */
  async stopTraffic() {
    clearInterval(this.drawing);
    clearInterval(this.watching);
    if (this.child === null) return this.traffic;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.send("stop");
    await gone;
    this.child = null;
    this.live.done();
    return this.traffic;
  }

  /** The control plane as its file says, for those who want to ask it, or kill it. */
  controlPlane() {
    const running = JSON.parse(readFileSync(join(this.directory, ".slipway", "control-plane.json"), "utf8"));
    const token = readFileSync(join(this.directory, ".slipway", "token"), "utf8");
    return { ...running, client: new Client({ port: running.port, token }) };
  }

  /** Resolves when the deployment under way in production is in one of the phases. */
  async untilPhase(phases) {
    for (;;) {
      const { client } = this.controlPlane();
      const status = await client.get("/v1/status").finally(() => client.close());
      const deployment = status.environments.find((environment) => environment.name === "production")?.deployment;
      if (deployment !== null && deployment !== undefined && phases.includes(deployment.phase)) return deployment;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async look() {
    try {
      const { client } = this.controlPlane();
      const status = await client.get("/v1/status").finally(() => client.close());
      const under = status.environments.find((environment) => environment.deployment !== null);
      this.now =
        under === undefined ? "" : `${under.name}: r${under.deployment.release.number} ${under.deployment.phase}`;
    } catch {
      this.now = "the control plane is away; the product goes on";
    }
  }

  draw() {
    const { traffic } = this;
    if (traffic === null) return;
    const perSecond = [];
    for (let end = this.rates.length; end > 0 && perSecond.length < shownSeconds; end -= 10) {
      perSecond.unshift(this.rates.slice(Math.max(0, end - 10), end).reduce((sum, each) => sum + each, 0));
    }
    const all = Object.values(this.mix).reduce((sum, each) => sum + each, 0);
    const mix = Object.entries(this.mix).map(
      ([version, count]) => `${style.name(version)} ${Math.round((count / all) * 100)} %`,
    );
    const failed = traffic.failed === 0 ? style.good("0 failed") : style.bad(`${traffic.failed} failed`);
    this.live.draw([
      "",
      `   ${style.accent("●")} ${this.now}`,
      `   ${style.quiet("traffic")} ${style.accent(sparkline(perSecond))} ${perSecond.at(-2) ?? 0}/s  ${mix.join("  ")}`,
      `   ${style.quiet("sent")} ${traffic.sent.toLocaleString("en")}  ${failed}  ${style.quiet(`p99 ${traffic.window.p99Ms.toFixed(1)} ms`)}`,
    ]);
  }
}
