// The quickstart: one product, six versions, two hundred requests a second all the while. Three versions are bad, each in
// its own way; the control plane is killed once. `--keep` leaves everything up to play with. Exits 1 when the story did
// not end as told.
import { rmSync } from "node:fs";
import { evidenceLines } from "../../dist/cli/output.js";
import { sign, style, table } from "../../dist/cli/terminal/style.js";
import { took } from "../../dist/cli/terminal/words.js";
import { makeRepository } from "./repository.js";
import { Stage, slipwayBin } from "./stage.js";

const rate = 200;
const keep = process.argv.includes("--keep");
const surprises = [];
const rows = [];

const repository = await makeRepository();
const stage = new Stage(repository);

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
  const marks = {
    succeeded: style.good(sign.done),
    "rolled-back": style.warn(sign.back),
    failed: style.bad(sign.failed),
  };
  const facts = [
    live === null ? "" : `all traffic after ${took(live)}`,
    detect === null || liveAt === null ? "" : `caught ${took(detect)} later`,
    restore === null ? "" : `${style.name(`back in ${took(restore)}`)}`,
  ].filter((fact) => fact !== "");
  stage.print(
    `   ${marks[result.phase] ?? sign.warn} r${result.release.number} ${result.release.version} ${result.phase} in ${result.environment}  ${style.quiet(facts.join(", "))}`,
  );
  if (result.failure !== null) {
    stage.print(...evidenceLines([["why", result.failure.message], ...result.failure.evidence], "     "));
  }
}

async function greeting() {
  const answer = await fetch(`http://127.0.0.1:${repository.ports.production}/api/greeting?name=Ada`);
  return (await answer.json()).text;
}

async function story() {
  stage.print(
    `${style.name("Slipway quickstart")}  ${style.quiet(`${rate} requests a second, from the first release to the last · ${repository.directory}`)}`,
  );

  title(1, "v1: build, release, deploy to staging, promote the same release to production");
  tell("v1", await stage.slipway(["deploy", "--env", "staging", "--yes"]), { phase: "succeeded", code: 0 });
  tell("v1", await stage.slipway(["promote", "production", "--yes"]), { phase: "succeeded", code: 0 });
  stage.startTraffic(rate);

  title(2, "v2: blue-green; the edge acknowledges the switch, then the release is watched");
  repository.commit("v2");
  tell("v2", await stage.slipway(["deploy", "--env", "production", "--yes"]), { phase: "succeeded", code: 0 });

  title(3, "v3 never becomes healthy: refused before it has met a single user");
  repository.commit("v3");
  tell("v3", await stage.slipway(["deploy", "--env", "production", "--yes"]), { phase: "failed", code: 1 });

  title(4, "v4 is healthy, and then 30 % of its answers are errors: taken back by itself");
  repository.commit("v4");
  tell("v4", await stage.slipway(["deploy", "--env", "production", "--yes"]), { phase: "rolled-back", code: 3 });

  title(5, "v5 crashes five seconds after its start: caught in the bake, taken back");
  repository.commit("v5");
  tell("v5", await stage.slipway(["deploy", "--env", "production", "--yes"]), { phase: "rolled-back", code: 3 });

  title(6, "v6, and the control plane is killed in the middle of it: the deployment goes on where it was");
  repository.commit("v6");
  const deploying = stage.slipway(["deploy", "--env", "production", "--yes"]);
  const caught = await stage.untilPhase(["starting", "verifying"]);
  const { pid } = stage.controlPlane();
  process.kill(pid, "SIGKILL");
  stage.print(
    `   ${style.warn(sign.warn)} control plane (pid ${pid}) killed with SIGKILL while ${caught.id} was ${caught.phase}`,
  );
  await stage.slipway(["up"]);
  tell("v6", await deploying, { phase: "succeeded", code: 0 });
  expect(
    "v6 answers with its own config",
    (await greeting()).match(/^(Welcome|Bonjour|Guten Tag), Ada!$/) !== null,
    true,
  );

  title(7, "slipway rollback: no argument; the last good release, its config included");
  const back = await stage.slipway(["rollback", "production"]);
  tell("back to v2", back, { phase: "succeeded", code: 0 });
  expect("the greeting of v2's config is back", await greeting(), "Hello, Ada!");
  stage.print(`   ${style.quiet(`the command took ${took(back.ms)} in all`)}`);
}

function summary(totals) {
  const serviceErrors = Object.entries(totals.serviceErrors).map(([version, count]) => `${count} by ${version}`);
  const cell = (ms) => (ms === null ? style.quiet("-") : took(ms));
  stage.print(
    "",
    style.name("Summary"),
    ...table(
      [
        [
          "",
          style.quiet("environment"),
          style.quiet("ended"),
          style.quiet("time to live"),
          style.quiet("time to detect"),
          style.quiet("time to restore"),
        ],
        ...rows.map((row) => [
          row.version,
          row.environment,
          row.phase,
          cell(row.live),
          cell(row.detect),
          cell(row.restore),
        ]),
      ],
      "   ",
    ),
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
      `   Everything stays up. ${style.accent(`http://127.0.0.1:${repository.ports.production}`)}`,
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
