// An example as a story that checks itself: each deployment is told in a line, held against how it should have ended, and
// summed up in a table.
import { evidenceLines } from "../../dist/cli/output.js";
import { sign, style, table } from "../../dist/cli/terminal/style.js";
import { took } from "../../dist/cli/terminal/words.js";

const marks = {
  succeeded: style.good(sign.done),
  "rolled-back": style.warn(sign.back),
  failed: style.bad(sign.failed),
};

export class Story {
  constructor(stage) {
    this.stage = stage;
    this.surprises = [];
    this.rows = [];
  }

  title(number, text) {
    this.stage.print("", `${style.accent(String(number))}  ${style.name(text)}`);
  }

  expect(what, seen, wanted) {
    if (seen !== wanted) this.#surprise(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
  }

  /** What a deployment came to, in a line, and its figures for the summary. Throws when there was none: the story cannot go on. */
  tell(version, { result, code }, wanted) {
    if (result?.phase === undefined) {
      const error = result?.error ?? { message: "slipway printed nothing", evidence: [] };
      throw new Error([error.message, ...evidenceLines(error.evidence)].join("\n"));
    }
    const { release, phase, environment, failure, startedAt, liveAt, detectedAt, restoredAt } = result;
    this.expect(`${version} ended`, phase, wanted.phase);
    this.expect(`${version} exit code`, code, wanted.code);
    const live = liveAt === null ? null : liveAt - startedAt;
    const detect = detectedAt === null ? null : detectedAt - (liveAt ?? startedAt);
    const restore = detectedAt === null || restoredAt === null ? null : restoredAt - detectedAt;
    this.rows.push({ version, environment, phase, live, detect, restore });
    const facts = [
      live === null ? [] : `all traffic after ${took(live)}`,
      detect === null || liveAt === null ? [] : `caught ${took(detect)} later`,
      restore === null ? [] : style.name(`back in ${took(restore)}`),
    ].flat();
    const what = `${marks[phase] ?? sign.warn} r${release.number} ${release.version} ${phase} in ${environment}`;
    this.stage.print(`   ${[what, ...(facts.length === 0 ? [] : [style.quiet(facts.join(", "))])].join("  ")}`);
    if (failure !== null) this.stage.print(...evidenceLines([["why", failure.message], ...failure.evidence], "     "));
  }

  /** Ends the control plane as a power cut would, in the middle of the deployment under way in production. */
  async killControlPlane() {
    const caught = await this.stage.untilPhase(["starting", "verifying"]);
    const { pid } = this.stage.controlPlane();
    process.kill(pid, "SIGKILL");
    const what = `control plane (pid ${pid}) killed with SIGKILL while ${caught.id} was ${caught.phase}`;
    this.stage.print(`   ${style.warn(sign.warn)} ${what}`);
  }

  /** Tells it, then `end`s it whatever came of it; the process exits with 1 when it did not go as told. */
  async run(story, end) {
    try {
      await story();
    } catch (error) {
      this.#surprise(error instanceof Error ? error.message : String(error));
    }
    const totals = await this.stage.stopTraffic();
    if (totals !== null) this.#summary(totals);
    await end();
    const [first] = this.surprises;
    if (first === undefined) return this.stage.print("", style.good("Everything ended as told."));
    this.stage.print(
      "",
      style.bad(`The story did not end as told: ${this.surprises.length} surprises, the first: ${first}`),
    );
    process.exitCode = 1;
  }

  #surprise(text) {
    this.surprises.push(text);
    this.stage.print(`   ${style.bad(sign.failed)} ${text}`);
  }

  #summary(totals) {
    const cell = (ms) => (ms === null ? style.quiet("-") : took(ms));
    const heads = ["", "environment", "ended", "time to live", "time to detect", "time to restore"];
    const cells = this.rows.map(({ version, environment, phase, live, detect, restore }) => [
      ...[version, environment, phase],
      ...[live, detect, restore].map(cell),
    ]);
    const failed = totals.failed === 0 ? style.good("0 failed") : style.bad(`${totals.failed} failed`);
    const own = Object.entries(totals.serviceErrors).map(([version, count]) => `${count} by ${version}`);
    this.stage.print(
      "",
      style.name("Summary"),
      ...table([heads.map((head) => style.quiet(head)), ...cells], "   "),
      "",
      `   ${totals.sent.toLocaleString("en")} requests sent, ${failed}; errors that a bad version itself answered: ${own.join(", ") || "none"}`,
    );
    this.expect("failed requests", totals.failed, 0);
    for (const failure of totals.failures) this.stage.print(`     ${failure}`);
  }
}
