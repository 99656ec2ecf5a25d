import { randomUUID } from "node:crypto";
import type { Client } from "../../api/client.ts";
import type { RunDetail } from "../../api/contract.ts";
import { type CiFacts, ciText } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { CiBegun } from "../../engine/ci/begin.ts";
import { Away, postUntilAnswered } from "../away.ts";
import { type Annotator, annotateError, annotator } from "../ci/annotate.ts";
import { factsOf } from "../ci/facts.ts";
import { mustBePossible, RemotePlane } from "../ci/remote.ts";
import { exitCodeOf, followDeployment } from "../follow.ts";
import { followRun, releaseOf } from "../follow-run.ts";
import { output } from "../output.ts";
import { timeoutOf } from "../session.ts";
import { type DeployOptions, deploy } from "./deploy.ts";
import { givenParameters } from "./run-parameters.ts";

export type CiOptions = DeployOptions & { readonly controlPlane?: string; readonly audience?: string };

/**
 * Deploys the commit of the CI's job that runs us, and waits for the end, in plain lines. With the address of a control plane
 * (`--control-plane`, SLIPWAY_URL) the job proves itself there with its ID token; else the one of this machine is taken. Errors: USAGE,
 * UNAUTHORIZED, FORBIDDEN, and those of `deploy`.
 */
export async function deployFromCi(options: CiOptions): Promise<number> {
  const facts = factsOf(process.env);
  const out = output(options);
  const annotate = annotator(out, facts.ci);
  const url = options.controlPlane ?? process.env.SLIPWAY_URL ?? "";
  out.line(`${facts.commit.slice(0, 12)} ${ciText(facts)}${facts.actor === null ? "" : `, begun by ${facts.actor}`}`);
  try {
    if (url !== "") return await remotely(options, { facts, url, annotate });
    const code = await annotate.within(`deploy to ${options.env}`, () =>
      deploy({ ...options, commit: facts.commit, ci: facts }),
    );
    if (code !== 0)
      annotate.error(`not live in ${options.env}`, `slipway deploy ended with exit code ${code}; see its lines above`);
    return code;
  } catch (error) {
    annotateError(annotate, error);
    throw error;
  }
}

type Remotely = { readonly facts: CiFacts; readonly url: string; readonly annotate: Annotator };

async function remotely(options: CiOptions, { facts, url, annotate }: Remotely): Promise<number> {
  mustBePossible(options, ["release", "dirty", "dryRun", "busy", "overrideWindow", "overrideBudget", "commit"]);
  const out = output(options);
  const timeoutMs = timeoutOf(options.timeout);
  const plane = new RemotePlane(url, options.audience ?? url.replace(/\/+$/, ""), process.env);
  try {
    const reconnect = () => plane.client();
    const client = await reconnect();
    const body = { environment: options.env, facts, key: randomUUID(), parameters: givenParameters(options.param) };
    const begun = await postUntilAnswered<CiBegun>({ client, reconnect }, "/v1/ci/deployments", body);
    out.line(begun.reason);
    if (!options.wait) {
      out.json(begun);
      return 0;
    }
    let run: string | null = null;
    for await (const now of eventsOf(reconnect, begun.id)) {
      if (now.run !== null && run === null) {
        run = now.run;
        const detail: RunDetail = await annotate.within(`run ${run}`, () =>
          followRun(reconnect, now.run ?? "", out, { timeoutMs }),
        );
        releaseOf(detail);
      }
      if (now.phase === "begun") continue;
      if (now.phase === "failed" || now.phase === "ignored")
        throw new SlipwayError("BUILD_FAILED", {
          message: now.reason,
          hint: "see the control plane's: slipway triggers",
        });
      const { deployment } = now;
      out.line(now.reason);
      if (deployment === null) {
        out.json(now);
        return 0;
      }
      const title = `${deployment} to ${options.env}`;
      const ended = await annotate.within(title, () => followDeployment(reconnect, deployment, out, { timeoutMs }));
      out.json(ended);
      if (ended.failure !== null) annotate.error(ended.failure.code, ended.failure.message);
      return exitCodeOf(ended);
    }
    throw new SlipwayError("CONTROL_PLANE_DOWN", { message: "the control plane does not answer any more" });
  } finally {
    plane.close();
  }
}

/** Outlives a restart of the control plane. Errors: CONTROL_PLANE_DOWN. */
async function* eventsOf(reconnect: () => Promise<Client>, id: string): AsyncGenerator<CiBegun> {
  const away = new Away();
  for (;;) {
    try {
      for await (const now of (await reconnect()).stream<CiBegun>(`/v1/ci/events/${id}/follow`)) {
        away.over();
        yield now;
      }
      return;
    } catch (error) {
      await away.wait(error);
    }
  }
}
