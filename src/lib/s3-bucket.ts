import type { Readable } from "node:stream";
import { type Dispatcher, request } from "undici";
import { type AwsCredentials, signedHeaders } from "./sign/sigv4.ts";

export type BucketOptions = {
  /** Of the store, such as `https://s3.example.com`: the bucket is a part of the path, which every store understands. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly now: () => number;
};

/** What the store has answered that is no object. */
export class BucketError extends Error {
  override readonly name = "BucketError";
}

/** Of an answer that says what is wrong. */
const maxErrorBytes = 16 * 1024;
const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** One bucket of a store that speaks S3, asked by signed requests. Names of objects are letters, digits and `-_./`. */
export class Bucket {
  readonly #options: BucketOptions;

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** Null when there is no such object. Changes nothing. Errors: BucketError, those of the connection. */
  async get(name: string, signal: AbortSignal): Promise<Readable | null> {
    const answer = await this.#send("GET", name, { sha256: nothing, signal });
    if (answer.statusCode === 200) return answer.body;
    const why = await said(answer);
    if (answer.statusCode === 404 && !why.includes("NoSuchBucket")) return null;
    throw refusal(answer, why);
  }

  /** Puts an object there, in the place of one that has the name. May be repeated. Errors: as `get`. */
  async put(
    name: string,
    content: { readonly stream: Readable; readonly bytes: number; readonly sha256: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { stream, bytes, sha256 } = content;
    const answer = await this.#send("PUT", name, { sha256, signal, body: { stream, bytes } });
    const why = await said(answer);
    if (answer.statusCode !== 200) throw refusal(answer, why);
  }

  #send(
    method: "GET" | "PUT",
    name: string,
    {
      sha256,
      signal,
      body,
    }: {
      readonly sha256: string;
      readonly signal: AbortSignal;
      readonly body?: { readonly stream: Readable; readonly bytes: number };
    },
  ): Promise<Dispatcher.ResponseData> {
    const { endpoint, bucket, region, credentials, now } = this.#options;
    const url = new URL(`${endpoint.replace(/\/+$/, "")}/${bucket}/${name}`);
    const headers = signedHeaders(
      {
        method,
        url,
        headers: { "x-amz-content-sha256": sha256 },
        body: { sha256 },
        region,
        service: "s3",
        at: new Date(now()),
      },
      credentials,
    );
    return request(url, {
      method,
      headers: body === undefined ? headers : { ...headers, "content-length": String(body.bytes) },
      body: body?.stream ?? null,
      signal,
      // Whoever asks says how long.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }
}

async function said({ body }: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxErrorBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal({ statusCode }: Dispatcher.ResponseData, text: string): BucketError {
  const code = /<Code>([^<]{1,100})<\/Code>/.exec(text)?.[1];
  return new BucketError(`it answers ${statusCode}${code === undefined ? "" : ` ${code}`}`);
}
