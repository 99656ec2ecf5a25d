// The example of virtual machines: web, API, worker and Redis on two machines over SSH, behind Caddy, staging and production, a
// hundred requests a second all the while. Two versions are bad, each in its own way, and the control plane is killed once.
// `--keep` leaves everything up to play with until Ctrl+C. Exits 1 when the story did not end as told. Needs root and Debian
// packages, because the machines are real but for their kernel; it says which are missing.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { style } from "../../dist/cli/terminal/style.js";
import { took } from "../../dist/cli/terminal/words.js";
import { Stage, slipwayBin } from "../parts/stage.js";
import { Story } from "../parts/story.js";
import { startMachines } from "./machines.js";
import { vmRepository } from "./repository.js";

const rate = 100;
const keep = process.argv.includes("--keep");

process.stdout.write(`${style.name("Slipway on virtual machines")}  ${style.quiet("starting two machines …")}\n`);
const machines = await startMachines().catch((error) => {
  // What is missing, and how to get it.
  process.stderr.write(`${style.bad(error.message)}\n`);
  process.exit(1);
});
const [vm1, vm2] = machines.hosts;
process.env.SLIPWAY_SSH_CONFIG = machines.sshConfig;
if (machines.registry.caFile !== null) process.env.NODE_EXTRA_CA_CERTS = machines.registry.caFile;
const repository = vmRepository(machines);
const stage = new Stage(repository);
const story = new Story(stage);
const deploy = () => stage.slipway(["deploy", "--env", "staging", "--yes"]);
const promote = () => stage.slipway(["promote", "production", "--yes"]);

async function greeting() {
  const answer = await fetch(`${repository.origin}/api/greeting?name=Ada`);
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

async function fiveVersions() {
  stage.print(
    style.quiet(`vm1 ${vm1.address} with Caddy, vm2 ${vm2.address}; no registry of its own · ${repository.directory}`),
  );

  story.title(
    1,
    "v1: images are built on vm1 and shipped layer by layer; staging, then the same digests to production",
  );
  story.tell("v1", await deploy(), { phase: "succeeded", code: 0 });
  story.tell("v1", await promote(), { phase: "succeeded", code: 0 });
  await showMachines();
  stage.startTraffic(rate);

  story.title(2, "v2: through staging to production under load; Caddy switches without a reload");
  repository.commit("v2");
  story.tell("v2", await deploy(), { phase: "succeeded", code: 0 });
  story.tell("v2", await promote(), { phase: "succeeded", code: 0 });

  story.title(3, "v3 never becomes healthy: refused in staging, probed through the tunnel, with its last lines");
  repository.commit("v3");
  story.tell("v3", await deploy(), { phase: "failed", code: 1 });

  story.title(
    4,
    "v4 is healthy where nobody visits; in production 30 % of its answers are errors: taken back by itself",
  );
  repository.commit("v4");
  story.tell("v4", await deploy(), { phase: "succeeded", code: 0 });
  story.tell("v4", await promote(), { phase: "rolled-back", code: 3 });

  story.title(5, "v5, and the control plane is killed in the middle of it: the deployment goes on where it was");
  repository.commit("v5");
  story.tell("v5", await deploy(), { phase: "succeeded", code: 0 });
  const promoting = promote();
  await story.killControlPlane();
  await stage.slipway(["up"]);
  story.tell("v5", await promoting, { phase: "succeeded", code: 0 });
  story.expect("v5 answers with its own config", await greeting(), "Welcome, dear Ada!");

  story.title(6, "slipway rollback: no argument; the last good release, its config included");
  const back = await stage.slipway(["rollback", "production"]);
  story.tell("back to v2", back, { phase: "succeeded", code: 0 });
  story.expect("the greeting of v2's config is back", await greeting(), "Hello, Ada!");
  stage.print(`   ${style.quiet(`the command took ${took(back.ms)} in all`)}`);
  await showMachines();
}

async function end() {
  if (keep) {
    stage.print(
      "",
      `   Everything stays up until Ctrl+C. ${style.accent(repository.origin)}`,
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

await story.run(fiveVersions, end);
