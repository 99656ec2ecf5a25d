import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
} from "jose";

/** Larger tokens are not looked at; those of CIs have about 2 KB. */
const maxTokenBytes = 16 * 1024;
const maxDocumentBytes = 256 * 1024;
const timeoutMs = 5_000;
/** Keys are asked for again when one is not known, but not more often than this, and in any case after that. */
const cooldownMs = 30_000;
const maxAgeMs = 10 * 60_000;
/** Of our clock against the issuer's. */
const skewS = 60;
/** Only signatures by a key that the issuer keeps for itself: never `none`, and never HMAC with a key that everybody can read. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** Why a token was not believed, in words. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
  /** The issuer could not be asked: the same token may be believed later. */
  readonly mayHelp: boolean;

  constructor(message: string, mayHelp = false) {
    super(message);
    this.mayHelp = mayHelp;
  }
}

type Keys = { readonly find: ReturnType<typeof createRemoteJWKSet>; readonly until: number };

/** Verifies ID tokens of issuers that are allowed, with their published keys, which it fetches, bounds and keeps for a while. */
export class IdTokens {
  readonly #now: () => number;
  readonly #keys = new Map<string, Keys>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * The claims of a token whose issuer and audience are among `allowed`, whose signature is the issuer's and whose time is now. Nobody is
   * asked for the keys of an issuer that is not allowed. Rejects with TokenRefused.
   */
  async verify(
    token: string,
    allowed: readonly { readonly issuer: string; readonly audience: string }[],
  ): Promise<JWTPayload> {
    if (Buffer.byteLength(token) > maxTokenBytes) throw new TokenRefused(`it has more than ${maxTokenBytes} bytes`);
    const { alg, iss } = unproven(token);
    if (!algorithms.includes(alg)) throw new TokenRefused(`it is signed by ${alg}, which proves nothing`);
    const audience = allowed.filter(({ issuer }) => issuer === iss).map((one) => one.audience);
    if (audience.length === 0) throw new TokenRefused(`its issuer ${iss} is not among those that are allowed`);
    const keys = await this.#keysOf(iss);
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: iss,
        audience,
        algorithms,
        clockTolerance: skewS,
        currentDate: new Date(this.#now()),
        requiredClaims: ["exp", "iat", "sub"],
      });
      return payload;
    } catch (error) {
      throw refusal(error);
    }
  }

  async #keysOf(issuer: string): Promise<Keys["find"]> {
    const known = this.#keys.get(issuer);
    if (known !== undefined && this.#now() < known.until) return known.find;
    const configuration = await document(`${issuer}/.well-known/openid-configuration`);
    const { issuer: named, jwks_uri } = configuration as { issuer?: unknown; jwks_uri?: unknown };
    if (named !== issuer) throw new TokenRefused(`what answers at ${issuer} calls itself ${String(named)}`);
    if (typeof jwks_uri !== "string" || !isSafe(jwks_uri))
      throw new TokenRefused(`${issuer} does not say where its keys are`);
    const find = createRemoteJWKSet(new URL(jwks_uri), {
      timeoutDuration: timeoutMs,
      cooldownDuration: cooldownMs,
      cacheMaxAge: maxAgeMs,
      [customFetch]: async (url: string, options: RequestInit) =>
        bounded(await fetch(url, { ...options, redirect: "error" })),
    });
    this.#keys.set(issuer, { find, until: this.#now() + 60 * 60_000 });
    return find;
  }
}

/** What it says of itself, which nobody believes yet. */
function unproven(token: string): { readonly alg: string; readonly iss: string } {
  try {
    const { alg = "nothing" } = decodeProtectedHeader(token);
    const { iss = "" } = decodeJwt(token);
    return { alg: String(alg).slice(0, 40), iss: String(iss).slice(0, 300) };
  } catch {
    throw new TokenRefused("it is no token");
  }
}

async function document(url: string): Promise<object> {
  if (!isSafe(url)) throw new TokenRefused(`${url} is not asked: only https is`);
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "error" });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    return (await (await bounded(answer)).json()) as object;
  } catch (error) {
    throw new TokenRefused(`the issuer could not be asked at ${url}: ${(error as Error).message}`, true);
  }
}

async function bounded(answer: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxDocumentBytes) throw new Error(`it answered more than ${maxDocumentBytes} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: answer.status, headers: answer.headers });
}

/** Over the wire only with TLS. An issuer on this machine is for tests and for forges that run beside us. */
function isSafe(text: string): boolean {
  const url = new URL(text);
  return (
    url.protocol === "https:" ||
    (url.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname))
  );
}

function refusal(error: unknown): TokenRefused {
  if (error instanceof errors.JWTExpired) return new TokenRefused("it has expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return new TokenRefused(`its ${error.claim} is not right: ${error.message}`);
  if (error instanceof errors.JWKSNoMatchingKey)
    return new TokenRefused("it is signed with a key that the issuer does not have");
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return new TokenRefused("its signature is not the issuer's");
  if (error instanceof errors.JOSEAlgNotAllowed) return new TokenRefused("it is signed in a way that proves nothing");
  if (error instanceof errors.JWKSTimeout) return new TokenRefused("the issuer's keys did not come in time", true);
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid)
    return new TokenRefused("it is no token");
  if (error instanceof errors.JOSEError) return new TokenRefused(error.message);
  return new TokenRefused(
    `the issuer's keys could not be had: ${error instanceof Error ? error.message : error}`,
    true,
  );
}
