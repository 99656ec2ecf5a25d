import { SlipwayError } from "../../core/errors/error.ts";

const timeoutMs = 10_000;

/**
 * The ID token of the CI's job for this audience: asked for at GitHub, elsewhere the one that the job was given. Errors: UNAUTHORIZED (there
 * is none), ISSUER_AWAY.
 */
export async function idToken(env: NodeJS.ProcessEnv, audience: string): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (url !== undefined && bearer !== undefined) return askGithub(url, bearer, audience);
  const given = env.SLIPWAY_ID_TOKEN ?? env.CIRCLE_OIDC_TOKEN_V2 ?? env.CIRCLE_OIDC_TOKEN;
  if (given !== undefined && given !== "") return given;
  throw new SlipwayError("UNAUTHORIZED", {
    message: "the job has no ID token to prove itself with",
    hint:
      env.GITHUB_ACTIONS === "true"
        ? "give the job permissions: { id-token: write }"
        : hints[env.GITLAB_CI === "true" ? "gitlab" : "other"],
  });
}

const hints = {
  gitlab: "give the job id_tokens: { SLIPWAY_ID_TOKEN: { aud: <the address of the control plane> } }",
  other: "put the job's ID token into SLIPWAY_ID_TOKEN",
} as const;

async function askGithub(url: string, bearer: string, audience: string): Promise<string> {
  const asked = new URL(url);
  asked.searchParams.set("audience", audience);
  try {
    const answer = await fetch(asked, {
      headers: { authorization: `Bearer ${bearer}`, accept: "application/json" },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { value } = (await answer.json()) as { value?: unknown };
    if (!answer.ok || typeof value !== "string") throw new Error(`it answered ${answer.status}`);
    return value;
  } catch (cause) {
    throw new SlipwayError("ISSUER_AWAY", {
      message: `GitHub gave no ID token: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
}
