import type { EnvironmentView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { type GlobalOptions, knownEnvironment, type Session, withSession } from "../session.ts";
import { sign, style } from "../terminal/style.ts";

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

async function underWay(session: Session, environment: string): Promise<NonNullable<EnvironmentView["deployment"]>> {
  const { deployment } = await knownEnvironment(session, environment);
  if (deployment !== null) return deployment;
  throw new SlipwayError("UNKNOWN_DEPLOYMENT", { message: `no deployment is under way in ${environment}` });
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
