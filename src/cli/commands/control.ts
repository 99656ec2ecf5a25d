import type { DeploymentDetail, EnvironmentView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { exitCodeOf } from "../follow.ts";
import { type GlobalOptions, knownEnvironment, type Session, timeoutOf, withSession } from "../session.ts";
import { sign, style } from "../terminal/style.ts";
import { conclude } from "./deploy.ts";

export type AskOptions = GlobalOptions & { readonly reason?: string };

/** Asks something of the deployment under way in an environment, or of one named by its id. */
export function ask(kind: "cancel" | "pause" | "resume", what: string, options: AskOptions): Promise<number> {
  return withSession(options, async (session) => {
    const deployment = what.startsWith("dep_") ? what : (await underWay(session, what)).id;
    await session.client.post(`/v1/deployments/${deployment}/requests`, {
      kind,
      actor: session.actor,
      reason: options.reason ?? "by hand",
    });
    session.out.line(`${style.good(sign.done)} asked ${deployment} to ${kind}`);
    session.out.json({ deployment, asked: kind });
    return 0;
  });
}

export type PromoteStepOptions = AskOptions & { readonly wait: boolean; readonly timeout?: string };

/** Takes the next step of the canary that is under way in an environment, or of one named by its id, and follows it. */
export function promoteStep(what: string, options: PromoteStepOptions): Promise<number> {
  timeoutOf(options.timeout);
  return withSession(options, async (session) => {
    const { client, out, actor } = session;
    const view = what.startsWith("dep_")
      ? await client.get<DeploymentDetail>(`/v1/deployments/${what}`)
      : await underWay(session, what);
    const step = view.canary?.step ?? null;
    await client.post(`/v1/deployments/${view.id}/requests`, {
      kind: "promote",
      actor,
      reason: options.reason ?? "by hand",
      ...(step === null ? {} : { step }),
    });
    out.line(`${style.good(sign.done)} asked ${view.id} to take the step after step ${step ?? "?"}`);
    const ended = await conclude(session, view.id, { ...options, from: step });
    return ended === null ? 0 : exitCodeOf(ended);
  });
}

async function underWay(session: Session, environment: string): Promise<NonNullable<EnvironmentView["deployment"]>> {
  const { deployment, gated } = await knownEnvironment(session, environment);
  if (deployment !== null) return deployment;
  throw new SlipwayError("UNKNOWN_DEPLOYMENT", {
    message: `no deployment is under way in ${environment}`,
    ...(gated.length === 0
      ? {}
      : {
          evidence: gated.map(({ id, release }) => ["at its gates", `${id} of r${release.number}`]),
          hint: `name the one that waits: slipway cancel ${gated[0]?.id}`,
        }),
  });
}

/** Keeps deployments out of an environment, or lets them in again. */
export function setLock(environment: string, options: AskOptions & { readonly locked: boolean }): Promise<number> {
  return withSession(options, async (session) => {
    const { locked } = options;
    if (locked && (options.reason ?? "") === "") {
      throw new SlipwayError("USAGE", {
        message: "a lock needs a reason: the next person will ask",
        hint: `run: slipway lock ${environment} --reason "..."`,
      });
    }
    await session.client.post("/v1/locks", {
      product: session.product,
      environment,
      actor: session.actor,
      reason: options.reason ?? "unlocked by hand",
      locked,
    });
    session.out.line(`${style.good(sign.done)} ${environment} is ${locked ? "locked" : "unlocked"}`);
    session.out.json({ environment, locked });
    return 0;
  });
}
