import { createPrivateKey, createSign } from "node:crypto";
import { z } from "zod";
import { ForgeProblem } from "../../../core/forge/problem.ts";
import { type Call, caller, type Opened, tokenOf, withId } from "./call.ts";

/** A token of an installation lasts an hour; another one is asked for before its last minutes. */
const spareMs = 5 * 60_000;
/** Ten minutes are the longest that GitHub takes; its clock may be behind ours. */
const jwt = { backS: 60, forwardS: 9 * 60 };

const tokenShape = z.object({ token: z.string().min(1), expires_at: z.string() });

/** Tokens of the app's installation for the one repository, each as long as it lasts. */
export function installationTokens(opened: Opened, app: string): (signal: AbortSignal) => Promise<string> {
  const { settings, clock } = opened;
  const call: Call = caller(opened, async () => ({
    authorization: `Bearer ${signed(app, await tokenOf(opened), clock.now())}`,
  }));
  const [, repository = ""] = settings.repository.split("/");
  let held: { readonly token: string; readonly key: string; readonly until: number } | null = null;
  return async (signal) => {
    const key = await tokenOf(opened);
    if (held !== null && held.key === key && clock.now() < held.until - spareMs) return held.token;
    const { id } = await call(withId, { path: `/repos/${settings.repository}/installation`, signal });
    const made = await call(tokenShape, {
      method: "POST",
      path: `/app/installations/${id}/access_tokens`,
      body: { repositories: [repository] },
      signal,
    });
    held = { token: made.token, key, until: Date.parse(made.expires_at) };
    return made.token;
  };
}

function signed(app: string, key: string, now: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const nowS = Math.floor(now / 1_000);
  const text = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iat: nowS - jwt.backS, exp: nowS + jwt.forwardS, iss: app })}`;
  try {
    return `${text}.${createSign("RSA-SHA256").update(text).sign(createPrivateKey(key)).toString("base64url")}`;
  } catch {
    throw new ForgeProblem("refused", "the secret is no private key of a GitHub App in PEM");
  }
}
