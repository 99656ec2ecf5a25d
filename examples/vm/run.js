// The example of virtual machines: web, API, worker and Redis on two machines over SSH, behind Caddy, staging and production, a
// hundred requests a second all the while. Two versions are bad, each in its own way, and the control plane is killed once.
// `--keep` leaves everything up to play with until Ctrl+C. Exits 1 when the story did not end as told. Needs root and Debian
// packages, because the machines are real but for their kernel; it says which are missing.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { evidenceLines } from "../../dist/cli/output.js";
import { sign, style, table } from "../../dist/cli/terminal/style.js";
import { took } from "../../dist/cli/terminal/words.js";
import { Stage, slipwayBin } from "../quickstart/stage.js";
import { startMachines } from "./machines.js";
import { makeRepository } from "./repository.js";

const rate = 100;
const keep = process.argv.includes("--keep");
const surprises = [];
const rows = [];

process.stdout.write(`${style.name("Slipway on virtual machines")}  ${style.quiet("starting two machines …")}\n`);
const machines = await startMachines().catch((error) => {
  // What is missing, and how to get it.
  process.stderr.write(`${style.bad(error.message)}\n`);
  process.exit(1);
});
const [vm1, vm2] = machines.hosts;
const origin = `http://${vm1.address}:8080`;
process.env.SLIPWAY_SSH_CONFIG = machines.sshConfig;
if (machines.registry.caFile !== null) process.env.NODE_EXTRA_CA_CERTS = machines.registry.caFile;
const repository = makeRepository(machines);
const stage = new Stage({ directory: repository.directory, origin });

function title(number, text) {
  stage.print("", `${style.accent(String(number))}  ${style.name(text)}`);
}

function expect(what, seen, wanted) {
  if (seen === wanted) return;
  surprises.push(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
  stage.print(`   ${style.bad(sign.failed)} ${surprises.at(-1)}`);
}

/** What a deployment came to, in a line, and its figures for the summary. Throws when there was none: the story cannot go on. */
function tell(version, { result, code }, wanted) {
  if (result?.phase === undefined) {
    const error = result?.error ?? { message: "slipway printed nothing", evidence: [] };
    throw new Error([error.message, ...evidenceLines(error.evidence)].join("\n"));
  }
  expect(`${version} ended`, result.phase, wanted.phase);
  expect(`${version} exit code`, code, wanted.code);
  const { startedAt, liveAt, detectedAt, restoredAt } = result;
  const live = liveAt === null ? null : liveAt - startedAt;
  const detect = detectedAt === null ? null : detectedAt - (liveAt ?? startedAt);
  const restore = detectedAt === null || restoredAt === null ? null : restoredAt - detectedAt;
  rows.push({ version, environment: result.environment, phase: result.phase, live, detect, restore });
  const marks = { succeeded: style.good(sign.done), "rolled-back": style.warn(sign.back) };
  const facts = [
    live === null ? [] : `all traffic after ${took(live)}`,
    detect === null || liveAt === null ? [] : `caught ${took(detect)} later`,
    restore === null ? [] : style.name(`back in ${took(restore)}`),
  ].flat();
  const { release, phase, environment, failure } = result;
  stage.print(
    `   ${marks[phase] ?? style.bad(sign.failed)} r${release.number} ${release.version} ${phase} in ${environment}  ${style.quiet(facts.join(", "))}`,
  );
  if (failure !== null) stage.print(...evidenceLines([["why", failure.message], ...failure.evidence], "     "));
}

async function greeting() {
  const answer = await fetch(`${origin}/api/greeting?name=Ada`);
  return (await answer.json()).text;
}

/** Which containers are where: what a person would look at first. */
async function showMachines() {
  const format = '{{.Label "slipway.environment"}} {{.Label "slipway.service"}}';
  for (const [name, machine] of [
    ["vm1", vm1],
    ["vm2", vm2],
  ]) {
    const listed = await machine.run(["docker", "-H", "unix:///run/docker.sock", "ps", "--format", format]);
    const counted = new Map();
    for (const line of listed.trim().split("\n").sort()) counted.set(line, (counted.get(line) ?? 0) + 1);
    const words = [...counted].map(([what, count]) => (count === 1 ? what : `${what} x${count}`));
    stage.print(`   ${style.quiet(`${name} ${machine.address}`)}  ${words.join(", ")}`);
  }
}

async function story() {
  stage.print(
    style.quiet(`vm1 ${vm1.address} with Caddy, vm2 ${vm2.address}; no registry of its own · ${repository.directory}`),
  );

  title(1, "v1: images are built on vm1 and shipped layer by layer; staging, then the same digests to production");
  tell("v1", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "succeeded", code: 0 });
  tell("v1", await stage.slipway(["promote", "production", "--yes"]), { phase: "succeeded", code: 0 });
  await showMachines();
  stage.startTraffic(rate);

  title(2, "v2: through staging to production under load; Caddy switches without a reload");
  repository.commit("v2");
  tell("v2", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "succeeded", code: 0 });
  tell("v2", await stage.slipway(["promote", "production", "--yes"]), { phase: "succeeded", code: 0 });

  title(3, "v3 never becomes healthy: refused in staging, probed through the tunnel, with its last lines");
  repository.commit("v3");
  tell("v3", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "failed", code: 1 });

  title(4, "v4 is healthy where nobody visits; in production 30 % of its answers are errors: taken back by itself");
  repository.commit("v4");
  tell("v4", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "succeeded", code: 0 });
  tell("v4", await stage.slipway(["promote", "production", "--yes"]), { phase: "rolled-back", code: 3 });

  title(5, "v5, and the control plane is killed in the middle of it: the deployment goes on where it was");
  repository.commit("v5");
  tell("v5", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "succeeded", code: 0 });
  const promoting = stage.slipway(["promote", "production", "--yes"]);
  const caught = await stage.untilPhase(["starting", "verifying"]);
  const { pid } = stage.controlPlane();
  process.kill(pid, "SIGKILL");
  stage.print(
    `   ${style.warn(sign.warn)} control plane (pid ${pid}) killed with SIGKILL while ${caught.id} was ${caught.phase}`,
  );
  await stage.slipway(["up"]);
  tell("v5", await promoting, { phase: "succeeded", code: 0 });
  expect("v5 answers with its own config", await greeting(), "Welcome, dear Ada!");

  title(6, "slipway rollback: no argument; the last good release, its config included");
  const back = await stage.slipway(["rollback", "production"]);
  tell("back to v2", back, { phase: "succeeded", code: 0 });
  expect("the greeting of v2's config is back", await greeting(), "Hello, Ada!");
  stage.print(`   ${style.quiet(`the command took ${took(back.ms)} in all`)}`);
  await showMachines();
}

function summary(totals) {
  const serviceErrors = Object.entries(totals.serviceErrors).map(([version, count]) => `${count} by ${version}`);
  const cell = (ms) => (ms === null ? style.quiet("-") : took(ms));
  const heads = ["", "environment", "ended", "time to live", "time to detect", "time to restore"];
  const cells = rows.map(({ version, environment, phase, live, detect, restore }) => [
    version,
    environment,
    phase,
    cell(live),
    cell(detect),
    cell(restore),
  ]);
  stage.print(
    "",
    style.name("Summary"),
    ...table([heads.map((head) => style.quiet(head)), ...cells], "   "),
    "",
    `   ${totals.sent.toLocaleString("en")} requests sent, ${totals.failed === 0 ? style.good("0 failed") : style.bad(`${totals.failed} failed`)}; errors that a bad version itself answered: ${serviceErrors.join(", ") || "none"}`,
  );
  expect("failed requests", totals.failed, 0);
  for (const failure of totals.failures) stage.print(`     ${failure}`);
}

async function end() {
  const totals = await stage.stopTraffic();
  if (totals !== null) summary(totals);
  if (keep) {
    stage.print(
      "",
      `   Everything stays up until Ctrl+C. ${style.accent(origin)}`,
      `   export SLIPWAY_SSH_CONFIG=${machines.sshConfig} NODE_EXTRA_CA_CERTS=${machines.registry.caFile}`,
      `   cd ${repository.directory}`,
      `   alias slipway="node ${slipwayBin}"`,
      "   slipway status",
    );
    await once(process, "SIGINT");
  }
  await stage.slipway(["down", "--all"], { show: false });
  await machines.down();
  rmSync(repository.directory, { recursive: true, force: true });
}

try {
  await story();
} catch (error) {
  surprises.push(error instanceof Error ? error.message : String(error));
  stage.print(`   ${style.bad(sign.failed)} ${surprises.at(-1)}`);
}
await end();
if (surprises.length > 0) {
  stage.print(
    "",
    style.bad(`The story did not end as told: ${surprises.length} surprises, the first: ${surprises[0]}`),
  );
  process.exitCode = 1;
} else {
  stage.print("", style.good("Everything ended as told."));
}
