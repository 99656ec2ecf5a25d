import { createHash, createHmac } from "node:crypto";

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
};

export type AwsRequest = {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Its text, or the SHA-256 of its bytes in hex. */
  readonly body: string | { readonly sha256: string };
  readonly region: string;
  readonly service: string;
  readonly at: Date;
};

/**
 * The headers of the request, with the ones that sign it. AWS Signature Version 4: docs.aws.amazon.com/IAM/latest/UserGuide/
 * reference_sigv-create-signed-request.html, held by AWS's own test vectors.
 */
export function signedHeaders(request: AwsRequest, credentials: AwsCredentials): Readonly<Record<string, string>> {
  const { method, url, body, region, service } = request;
  const time = `${request.at.toISOString().replace(/[-:]|\.\d{3}/g, "")}`;
  const day = time.slice(0, 8);
  const headers: Record<string, string> = { host: url.host, "x-amz-date": time };
  for (const [name, value] of Object.entries(request.headers))
    headers[name.toLowerCase()] = value.trim().replace(/ +/g, " ");
  if (credentials.sessionToken !== null) headers["x-amz-security-token"] = credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const signed = names.join(";");
  const canonical = [
    method,
    url.pathname,
    canonicalQuery(url),
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    signed,
    typeof body === "string" ? sha256(body) : body.sha256,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = hmac(key, text).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
  const { host: _, ...sent } = headers;
  return { ...sent, authorization };
}

function canonicalQuery({ searchParams }: URL): string {
  const pairs = [...searchParams].map(([name, value]) => [escaped(name), escaped(value)] as const);
  return pairs
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** By bytes, as the signature wants it. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** All but the unreserved characters of RFC 3986. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
