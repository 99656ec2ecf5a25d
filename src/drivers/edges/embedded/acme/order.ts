import { createPrivateKey, X509Certificate } from "node:crypto";
import { newKeyPem } from "./account-key.ts";
import { type AcmeAnswer, type AcmeClient, AcmeProblem, problemText, urlIn } from "./acme-client.ts";
import { signingRequest } from "./signing-request.ts";

const validateWithinMs = 120_000;
const issueWithinMs = 120_000;
const maxAuthorizations = 10;

/** Puts an answer where the CA will look for it; resolves when it is there. The returned function takes it away. */
export type Publish = (token: string, answer: string) => Promise<() => Promise<void>>;

/**
 * Gets a new certificate for `host`: proves control of the name by HTTP (RFC 8555 §8.3), orders, downloads. Resolves with the
 * chain and the new key as one PEM text. Throws AcmeProblem.
 */
export async function orderCertificate(client: AcmeClient, host: string, publish: Publish): Promise<string> {
  const order = await client.order(host);
  const orderUrl = urlIn({ location: order.location }, "location");
  for (const url of authorizationsOf(order)) await authorize(client, { url, host }, publish);

  const keyPem = newKeyPem();
  const key = createPrivateKey(keyPem);
  // Nothing is asked for before the CA is content with the name.
  await client.poll(orderUrl, issueWithinMs, (answer) => reached(answer, ["ready", "valid"]));
  await client.post(urlIn(order.value, "finalize"), { csr: signingRequest(host, key).toString("base64url") });
  const done = await client.poll(orderUrl, issueWithinMs, (answer) => reached(answer, ["valid"]));
  const { text } = await client.post(urlIn(done.value, "certificate"), null);
  check(text, host, keyPem);
  return `${text.trimEnd()}\n${keyPem}`;
}

async function authorize(
  client: AcmeClient,
  { url, host }: { readonly url: string; readonly host: string },
  publish: Publish,
): Promise<void> {
  const authorization = await client.post(url, null);
  if (authorization.value.status === "valid") return;
  const challenge = challengesOf(authorization).find(({ type }) => type === "http-01");
  if (challenge === undefined) throw new AcmeProblem("refused", `the CA does not offer http-01 for ${host}`);
  const { token } = challenge;
  // It becomes a path that we answer.
  if (typeof token !== "string" || !/^[A-Za-z0-9_-]{16,256}$/.test(token))
    throw new AcmeProblem("refused", "the CA's token is none");
  const unpublish = await publish(token, client.answerTo(token));
  try {
    await client.post(urlIn(challenge, "url"), {});
    await client.poll(url, validateWithinMs, (answer) => {
      const { status } = answer.value;
      if (status === "pending" || status === "processing") return null;
      if (status === "valid") return true;
      const why = challengesOf(answer).find(({ error }) => error !== undefined)?.error;
      throw new AcmeProblem(
        "refused",
        `the CA could not verify ${host}: ${problemText((why ?? {}) as Record<string, unknown>)}`,
      );
    });
  } finally {
    await unpublish();
  }
}

function reached(answer: AcmeAnswer, wanted: readonly string[]): AcmeAnswer | null {
  const { status, error } = answer.value;
  if (wanted.includes(String(status))) return answer;
  if (status === "pending" || status === "processing" || status === "ready") return null;
  throw new AcmeProblem(
    "refused",
    `the CA refused the order: ${problemText((error ?? {}) as Record<string, unknown>)}`,
  );
}

function authorizationsOf({ value }: AcmeAnswer): string[] {
  const { authorizations } = value;
  if (!Array.isArray(authorizations) || authorizations.length === 0 || authorizations.length > maxAuthorizations)
    throw new AcmeProblem("away", "the CA's order has no authorizations");
  return authorizations.map((url: unknown) => urlIn({ authorization: url }, "authorization"));
}

function challengesOf({ value }: AcmeAnswer): readonly Readonly<Record<string, unknown>>[] {
  const { challenges } = value;
  return Array.isArray(challenges)
    ? challenges.filter((one): one is Record<string, unknown> => typeof one === "object" && one !== null)
    : [];
}

/** What the CA sent is what was asked for; anything else is not put in the place of a certificate that works. */
function check(pem: string, host: string, keyPem: string): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (cause) {
    throw new AcmeProblem("away", "the CA sent no certificate", { cause });
  }
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem)) || certificate.checkHost(host) === undefined)
    throw new AcmeProblem("refused", `the CA sent a certificate that is not for ${host}`);
}
