import { type CiVerb, type Grant, grantOf } from "../../core/ci/access.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { type IdTokens, TokenRefused } from "../../lib/oidc/id-tokens.ts";
import { readSigned, signText } from "../../lib/sign/signed-text.ts";
import { settingsOf } from "../triggers/settings.ts";
import type { World } from "../world.ts";

/** A job that has more to wait for proves itself again. */
const sessionMs = 15 * 60_000;
const purpose = "slipway ci session v1";

/** What a job may do for a while, in the words of what it has proven. Nothing of it is kept: it is in the text that the job holds. */
export type CiSession = Grant & { readonly product: string; readonly until: EpochMs };

/**
 * Believes an ID token, or not, and answers what it allows as a text that this control plane alone can have made.
 * Errors: NOT_FOUND (no triggers are in force), UNAUTHORIZED, FORBIDDEN, ISSUER_AWAY.
 */
export async function openCiSession(
  world: World,
  tokens: IdTokens,
  { product, token }: { readonly product: string; readonly token: string },
): Promise<{ readonly session: string; readonly is: CiSession }> {
  const { ci } = (await settingsOf(world.store.db, product)).settings;
  if (ci.length === 0)
    throw new SlipwayError("FORBIDDEN", {
      message: "no job of a CI may do anything here; the config has no triggers.ci",
    });
  const claims = await tokens.verify(token, ci).catch((error: unknown) => {
    if (!(error instanceof TokenRefused)) throw error;
    if (error.mayHelp) throw new SlipwayError("ISSUER_AWAY", { message: error.message, cause: error });
    throw new SlipwayError("UNAUTHORIZED", {
      message: `the ID token is not believed: ${error.message}`,
      hint: "compare with triggers.ci of the config in force: slipway explain triggers.ci",
    });
  });
  const answer = grantOf(claims, ci);
  if (answer.is === "refused") {
    world.log.warn("ci.refused", { subject: claims.sub, why: answer.why.join("; ") });
    throw new SlipwayError("FORBIDDEN", {
      message: `the job of ${claims.sub} may do nothing here`,
      evidence: answer.why.map((why) => ["rule", why]),
    });
  }
  const is: CiSession = { ...answer.grant, product, until: world.clock.now() + sessionMs };
  return { session: signText(is, purpose, (text) => world.vault.sign(text)), is };
}

/** Errors: UNAUTHORIZED. */
export function ciSessionOf({ vault, clock }: World, product: string, authorization: string | undefined): CiSession {
  const text = /^Bearer (\S{1,8192})$/.exec(authorization ?? "")?.[1] ?? "";
  const is = readSigned(text, purpose, (each) => vault.sign(each)) as CiSession | null;
  const why = is === null ? "carries no session of this control plane" : "has a session that is over";
  if (is === null || is.product !== product || clock.now() >= is.until)
    throw new SlipwayError("UNAUTHORIZED", {
      message: `the request ${why}`,
      hint: "prove the job with its ID token again: POST /v1/sessions",
    });
  return is;
}

/** Errors: FORBIDDEN. */
export function mustBeAllowedTo(
  { allowed, subject, commit: only }: CiSession,
  {
    verb,
    environment,
    commit,
  }: { readonly verb: CiVerb; readonly environment: string; readonly commit: string | null },
): void {
  if (!allowed.some((one) => one.verb === verb && one.environment === environment)) {
    const may = allowed.map((one) => `${one.verb} in ${one.environment}`).join(", ");
    throw new SlipwayError("FORBIDDEN", {
      message: `the job of ${subject} may not ${verb} in ${environment}; it may ${may}`,
    });
  }
  if (only !== null && commit !== null && only !== commit)
    throw new SlipwayError("FORBIDDEN", {
      message: `the job was proven for ${only.slice(0, 12)}, not for ${commit.slice(0, 12)}`,
    });
}
