import { randomUUID } from "node:crypto";
import { postUntilAnswered } from "../away.ts";
import { annotateError, annotator } from "../ci/annotate.ts";
import { factsOf } from "../ci/facts.ts";
import { mustBePossible, RemotePlane } from "../ci/remote.ts";
import { exitCodeOf, followDeployment } from "../follow.ts";
import { output } from "../output.ts";
import { timeoutOf } from "../session.ts";
import { type PromoteOptions, promote } from "./deploy.ts";

type CiPromoteOptions = PromoteOptions & {
  readonly from?: string;
  readonly controlPlane?: string;
  readonly audience?: string;
};

/**
 * Promotes from the job of a CI, and waits for the end, in plain lines. With the address of a control plane the job proves itself there
 * with its ID token, and may do it where `triggers.ci` gives it the verb promote. Errors: USAGE, UNAUTHORIZED, FORBIDDEN, and those of `promote`.
 */
export async function promoteFromCi(environment: string, options: CiPromoteOptions): Promise<number> {
  const facts = factsOf(process.env);
  const out = output(options);
  const annotate = annotator(out, facts.ci);
  const url = options.controlPlane ?? process.env.SLIPWAY_URL ?? "";
  try {
    if (url === "")
      return await annotate.within(`promote to ${environment}`, () => promote(environment, { ...options, ci: facts }));
    mustBePossible(options, ["from", "dryRun", "busy", "overrideWindow", "overrideBudget"]);
    const timeoutMs = timeoutOf(options.timeout);
    const plane = new RemotePlane(url, options.audience ?? url.replace(/\/+$/, ""), process.env);
    try {
      const reconnect = () => plane.client();
      const at = { client: await reconnect(), reconnect };
      const { deployment } = await postUntilAnswered<{ deployment: string }>(at, "/v1/ci/promotions", {
        environment,
        release: options.release ?? null,
        facts,
        reason: options.reason ?? "",
        key: randomUUID(),
      });
      if (!options.wait) {
        out.json({ deployment });
        out.line(deployment);
        return 0;
      }
      const title = `${deployment} to ${environment}`;
      const ended = await annotate.within(title, () => followDeployment(reconnect, deployment, out, { timeoutMs }));
      out.json(ended);
      if (ended.failure !== null) annotate.error(ended.failure.code, ended.failure.message);
      return exitCodeOf(ended);
    } finally {
      plane.close();
    }
  } catch (error) {
    annotateError(annotate, error);
    throw error;
  }
}
