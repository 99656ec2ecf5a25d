import { self } from "../actor.ts";
import { textMatcher } from "../pipeline/glob.ts";

export const ciVerbs = ["deploy", "promote", "rollback"] as const;
export type CiVerb = (typeof ciVerbs)[number];

/** Which jobs may do what: those whose ID token an issuer has signed, for us, and says all of this. */
export type CiRule = {
  /** `https://token.actions.githubusercontent.com`, without a slash at its end. */
  readonly issuer: string;
  readonly audience: string;
  /** Each with the patterns of which one must fit. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly environments: readonly string[];
  readonly verbs: readonly CiVerb[];
};

export type Claims = Readonly<Record<string, unknown>>;

/** What a job may do: everything that the rules which it satisfies allow. */
export type Grant = {
  readonly allowed: readonly { readonly environment: string; readonly verb: CiVerb }[];
  readonly subject: string;
  readonly actor: string;
  /** The only commit that it is for; null: the issuer does not say, or it is a merge that is nowhere else. */
  readonly commit: string | null;
};

/** What the claims of a token that was verified allow; or why nothing, rule by rule. */
export function grantOf(
  claims: Claims,
  rules: readonly CiRule[],
): { readonly is: "granted"; readonly grant: Grant } | { readonly is: "refused"; readonly why: readonly string[] } {
  const why: string[] = [];
  const allowed: { environment: string; verb: CiVerb }[] = [];
  for (const rule of rules) {
    const misfit = misfitOf(claims, rule);
    if (misfit === null)
      for (const environment of rule.environments) for (const verb of rule.verbs) allowed.push({ environment, verb });
    else why.push(`${rule.environments.join(", ")}: ${misfit}`);
  }
  if (allowed.length === 0) return { is: "refused", why };
  const subject = text(claims.sub) ?? text(claims.iss) ?? "?";
  const named = text(claims.actor) ?? text(claims.user_login);
  // Somebody may be called so at a forge.
  const actor = named === null || named === self ? subject : named;
  const isMerge = claims.event_name === "pull_request" || claims.event_name === "pull_request_target";
  const commit = isMerge ? null : text(claims.sha);
  return { is: "granted", grant: { allowed, subject: subject.slice(0, 300), actor: actor.slice(0, 100), commit } };
}

/** Null: it fits. */
function misfitOf(claims: Claims, { issuer, audience, claims: wanted }: CiRule): string | null {
  if (claims.iss !== issuer) return `it is of ${text(claims.iss)}, not of ${issuer}`;
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (!audiences.includes(audience)) return `it is for ${audiences.join(", ")}, not for ${audience}`;
  for (const [name, patterns] of Object.entries(wanted)) {
    const said = text(Object.hasOwn(claims, name) ? claims[name] : undefined);
    if (said === null) return `it says nothing of ${name}`;
    if (!textMatcher(patterns)(said)) return `${name} is ${said}, wanted ${patterns.join(" or ")}`;
  }
  return null;
}

function text(claim: unknown): string | null {
  return typeof claim === "string"
    ? claim
    : typeof claim === "number" || typeof claim === "boolean"
      ? `${claim}`
      : null;
}
