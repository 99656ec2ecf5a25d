import { SlipwayError } from "../../core/errors/error.ts";
import { type Audit, auditOf } from "../../core/server/report.ts";
import { serverScript } from "../../core/server/script.ts";
import type { ServerSettings } from "../../core/server/settings.ts";
import type { Ssh } from "../../lib/ssh/open-ssh.ts";
import { runScript } from "./run-script.ts";

/** What a server is, against what it should be. Changes nothing; may be repeated. Errors: HOST_*, SERVER_REFUSED, SERVER_STEP_FAILED. */
export async function auditServer(ssh: Ssh, settings: ServerSettings, signal: AbortSignal): Promise<Audit> {
  const run = await runScript(ssh, serverScript(settings), "check", { signal });
  const audit = auditOf(run.events);
  if (audit !== null) return audit;
  throw new SlipwayError("SERVER_STEP_FAILED", {
    message: `the check of ${ssh.destination} did not come to its end (exit code ${run.code})`,
    evidence: run.stderr
      .trim()
      .split("\n")
      .slice(-3)
      .filter((line) => line !== "")
      .map((line) => ["stderr", line] as const),
    hint: "is there a POSIX shell for that user? try: ssh <host> sh -c true",
  });
}
