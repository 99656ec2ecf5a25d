import { setTimeout as delay } from "node:timers/promises";
import { isSlipwayError, reasonOf, SlipwayError } from "../../core/errors/error.ts";
import { type Audit, type ScriptEvent, troubles } from "../../core/server/report.ts";
import { serverScript } from "../../core/server/script.ts";
import type { ServerSettings } from "../../core/server/settings.ts";
import type { Finding } from "../../core/server/step.ts";
import type { Ssh } from "../../lib/ssh/open-ssh.ts";
import { auditServer } from "./audit.ts";
import { runScript, type ScriptRun } from "./run-script.ts";

export type Bootstrap = {
  readonly ssh: Ssh;
  /** A connection of its own, made anew: only a new login proves that one is still possible. */
  readonly newLogin: () => Ssh;
  readonly settings: ServerSettings;
  readonly onEvent: (event: ScriptEvent) => void;
  readonly signal: AbortSignal;
};

/** An sshd that reads its configuration anew does not listen for a moment. */
const loginTries = 5;
const betweenLoginsMs = 1_000;

/** Throws SERVER_REFUSED when a bootstrap must not begin; the audit shows why. */
export function refuseUnlessPossible(audit: Audit, destination: string): void {
  const refusals = troubles(audit).filter(({ finding }) => finding.is === "refused");
  if (refusals.length === 0) return;
  throw new SlipwayError("SERVER_REFUSED", {
    message: `${destination} cannot be made ready as it is; nothing was changed`,
    evidence: refusals.map(({ step, finding }) => [step, finding.evidence]),
    hint: refusals.find(({ finding }) => finding.hint !== null)?.finding.hint ?? "see what is refused above",
  });
}

/**
 * Makes a server ready: every step that is missing, in order, then a new login that confirms SSH and firewall, then the audit again,
 * which is returned. Safe to repeat, also after it was killed anywhere: unconfirmed changes to SSH and firewall are taken back by
 * the server itself. Errors: HOST_*, SERVER_REFUSED (nothing was changed), SERVER_STEP_FAILED.
 */
export async function bootstrapServer(bootstrap: Bootstrap): Promise<Audit> {
  const { ssh, settings, onEvent, signal } = bootstrap;
  const script = serverScript(settings);
  const applied = await runScript(ssh, script, "apply", { signal, onEvent });
  if (applied.code === 2) throw refusedByServer(applied, ssh.destination);
  // Also when a step failed: what was changed on the way in must not wait for the way back.
  await confirm(bootstrap, script);
  if (applied.code !== 0) throw stepFailed(applied, ssh.destination);
  return auditServer(ssh, settings, signal);
}

async function confirm({ newLogin, settings, signal }: Bootstrap, script: string): Promise<void> {
  const login = newLogin();
  try {
    const run = await confirmOnce(login, script, signal, loginTries);
    if (run.code === 0) return;
    if (run.code === 2) throw refusedByServer(run, login.destination);
    throw new SlipwayError("SERVER_STEP_FAILED", {
      message: `${login.destination} has taken SSH or firewall back, because nobody confirmed them in ${settings.undoAfterS} s`,
      evidence: findings(run).map((finding) => [finding.is, finding.evidence]),
      hint: "run the bootstrap again",
    });
  } finally {
    await login.close();
  }
}

async function confirmOnce(login: Ssh, script: string, signal: AbortSignal, triesLeft: number): Promise<ScriptRun> {
  try {
    return await runScript(login, script, "confirm", { signal });
  } catch (error) {
    if (isSlipwayError(error) && error.retryable && triesLeft > 1) {
      await delay(betweenLoginsMs, undefined, { signal });
      return confirmOnce(login, script, signal, triesLeft - 1);
    }
    throw new SlipwayError("SERVER_STEP_FAILED", {
      message: `a new login to ${login.destination} does not work; the server takes its changes to SSH and firewall back by itself`,
      evidence: [["login", reasonOf(error)]],
      hint: "wait for that, then see: slipway server check <host>",
      cause: error,
    });
  }
}

function refusedByServer(run: ScriptRun, destination: string): SlipwayError {
  const refused = findings(run).filter((finding) => finding.is === "refused");
  return new SlipwayError("SERVER_REFUSED", {
    message: `${destination} refuses`,
    evidence: refused.map((finding) => ["refused", finding.evidence]),
    ...(refused[0]?.hint == null ? {} : { hint: refused[0].hint }),
  });
}

/** So many of the last lines of what failed are shown. */
const shownLines = 12;

function stepFailed(run: ScriptRun, destination: string): SlipwayError {
  const failed = run.events.flatMap((event) => (event.is === "done" && event.code !== 0 ? [event.step] : []));
  const left = run.events.flatMap((event) => (event.is === "skipped" ? [event.step] : []));
  const lines = run.events.flatMap((event) => (event.is === "log" && event.step === failed[0] ? [event.line] : []));
  return new SlipwayError("SERVER_STEP_FAILED", {
    message: `${failed.length === 0 ? "the bootstrap" : failed.join(", ")} failed on ${destination}${left.length === 0 ? "" : `; left out: ${left.join(", ")}`}`,
    evidence: lines.slice(-shownLines).map((line) => [failed[0] ?? "", line]),
  });
}

function findings(run: ScriptRun): readonly Finding[] {
  return run.events.flatMap((event) => (event.is === "finding" ? [event.finding] : []));
}
