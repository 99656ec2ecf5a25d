import { z } from "zod";
import { parse } from "./documents.ts";
import { OciError } from "./errors.ts";

export type Credentials = { readonly username: string; readonly password: string };

/** What a 401 asks for (RFC 7235; the token form as distribution's "Token Authentication Specification" has it). */
export type Challenge =
  | { readonly scheme: "basic" }
  | {
      readonly scheme: "bearer";
      readonly realm: string;
      readonly service: string | null;
      readonly scope: string | null;
    };

const maxChallengeChars = 8_192;

/** The first scheme of the header that we speak; null when there is none. */
export function parseChallenge(header: string): Challenge | null {
  const found = /(?:^|,\s*)(bearer|basic)(?:\s+|$)/i.exec(header.slice(0, maxChallengeChars));
  if (found === null) return null;
  if (found[1]?.toLowerCase() === "basic") return { scheme: "basic" };
  const rest = header.slice(found.index + found[0].length, maxChallengeChars);
  const params = new Map<string, string>();
  for (const [, key = "", quoted, bare] of rest.matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))/gi)) {
    params.set(key.toLowerCase(), quoted ?? bare ?? "");
  }
  const realm = params.get("realm");
  if (realm === undefined) return null;
  return { scheme: "bearer", realm, service: params.get("service") ?? null, scope: params.get("scope") ?? null };
}

const tokenAnswer = z.object({
  token: z.string().min(1).max(65_536).optional(),
  access_token: z.string().min(1).max(65_536).optional(),
  expires_in: z.number().nonnegative().optional(),
});

export type Token = { readonly value: string; readonly lifeMs: number };

/** Of the specification, when the server says nothing. */
const defaultLifeS = 60;

export function parseToken(bytes: Buffer): Token {
  const answer = parse(bytes, tokenAnswer, "token server's answer");
  const value = answer.token ?? answer.access_token;
  if (value === undefined) throw new OciError("PROTOCOL", "the token server answered without a token");
  return { value, lifeMs: (answer.expires_in ?? defaultLifeS) * 1_000 };
}

export function basicHeader({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/**
 * Where a challenge may send our password: over TLS, or in clear only to this machine or where the registry itself is spoken to
 * in clear by choice.
 */
export function tokenUrl(challenge: Extract<Challenge, { scheme: "bearer" }>, scope: string, registry: URL): URL {
  const url = URL.canParse(challenge.realm) ? new URL(challenge.realm) : null;
  const isPlain = url?.protocol === "http:" && registry.protocol === "http:";
  if (url === null || (url.protocol !== "https:" && !isPlain)) {
    throw new OciError(
      "PROTOCOL",
      `${registry.host} sends to a token server that is not safe: ${challenge.realm.slice(0, 200)}`,
    );
  }
  if (challenge.service !== null) url.searchParams.set("service", challenge.service);
  for (const each of scope.split(" ")) if (each !== "") url.searchParams.append("scope", each);
  return url;
}
