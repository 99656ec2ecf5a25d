// The quickstart: one product, six versions, two hundred requests a second all the while. Three versions are bad, each in
// its own way; the control plane is killed once. `--keep` leaves everything up to play with. Exits 1 when the story did
// not end as told.
import { rmSync } from "node:fs";
import { style } from "../../dist/cli/terminal/style.js";
import { took } from "../../dist/cli/terminal/words.js";
import { Stage, slipwayBin } from "../parts/stage.js";
import { Story } from "../parts/story.js";
import { quickstartRepository } from "./repository.js";

const rate = 200;
const keep = process.argv.includes("--keep");

const repository = await quickstartRepository();
const stage = new Stage(repository);
const story = new Story(stage);
const deploy = (environment) => stage.slipway(["deploy", "--env", environment, "--yes"]);

async function greeting() {
  const answer = await fetch(`${repository.origin}/api/greeting?name=Ada`);
  return (await answer.json()).text;
}

async function sixVersions() {
  stage.print(
    `${style.name("Slipway quickstart")}  ${style.quiet(`${rate} requests a second, from the first release to the last · ${repository.directory}`)}`,
  );

  story.title(1, "v1: build, release, deploy to staging, promote the same release to production");
  story.tell("v1", await deploy("staging"), { phase: "succeeded", code: 0 });
  story.tell("v1", await stage.slipway(["promote", "production", "--yes"]), { phase: "succeeded", code: 0 });
  stage.startTraffic(rate);

  story.title(2, "v2: blue-green; the edge acknowledges the switch, then the release is watched");
  repository.commit("v2");
  story.tell("v2", await deploy("production"), { phase: "succeeded", code: 0 });

  story.title(3, "v3 never becomes healthy: refused before it has met a single user");
  repository.commit("v3");
  story.tell("v3", await deploy("production"), { phase: "failed", code: 1 });

  story.title(4, "v4 is healthy, and then 30 % of its answers are errors: taken back by itself");
  repository.commit("v4");
  story.tell("v4", await deploy("production"), { phase: "rolled-back", code: 3 });

  story.title(5, "v5 crashes five seconds after its start: caught in the bake, taken back");
  repository.commit("v5");
  story.tell("v5", await deploy("production"), { phase: "rolled-back", code: 3 });

  story.title(6, "v6, and the control plane is killed in the middle of it: the deployment goes on where it was");
  repository.commit("v6");
  const deploying = deploy("production");
  await story.killControlPlane();
  await stage.slipway(["up"]);
  story.tell("v6", await deploying, { phase: "succeeded", code: 0 });
  story.expect(
    "v6 answers with its own config",
    (await greeting()).match(/^(Welcome|Bonjour|Guten Tag), Ada!$/) !== null,
    true,
  );

  story.title(7, "slipway rollback: no argument; the last good release, its config included");
  const back = await stage.slipway(["rollback", "production"]);
  story.tell("back to v2", back, { phase: "succeeded", code: 0 });
  story.expect("the greeting of v2's config is back", await greeting(), "Hello, Ada!");
  stage.print(`   ${style.quiet(`the command took ${took(back.ms)} in all`)}`);
}

async function end() {
  if (keep) {
    stage.print(
      "",
      `   Everything stays up. ${style.accent(repository.origin)}`,
      `   cd ${repository.directory}`,
      `   alias slipway="node ${slipwayBin}"`,
      "   slipway status",
      "   To end it: slipway down --all",
    );
    return;
  }
  await stage.slipway(["down", "--all"], { show: false });
  rmSync(repository.directory, { recursive: true, force: true });
}

await story.run(sixVersions, end);
