import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { reasonOf } from "../../../core/errors/error.ts";
import type { SharedCacheSpec } from "../../../core/pipeline/step.ts";
import { linkedSignal } from "../../../lib/linked-signal.ts";
import { packDirectory } from "../../../lib/pack.ts";
import { Bucket } from "../../../lib/s3-bucket.ts";
import { unpackArchive } from "../../../lib/unpack.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Log } from "../../../ports/log.ts";

/** A store with what opens it. */
export type SharedStore = SharedCacheSpec & { readonly accessKeyId: string; readonly secretAccessKey: string };

export type SharedLimits = {
  /** Until the first byte of an answer. */
  readonly answerMs: number;
  /** Until the last one. */
  readonly fetchMs: number;
  readonly putMs: number;
  /** How long a store that was away or too slow is left alone. */
  readonly pauseMs: number;
  /** Of one result; a larger one is not shared. */
  readonly objectBytes: number;
  /** Results that wait to be put; what comes when there are as many is not shared. */
  readonly waiting: number;
};

const usual: SharedLimits = {
  answerMs: 2_000,
  fetchMs: 60_000,
  putMs: 120_000,
  pauseMs: 60_000,
  objectBytes: 1024 ** 3,
  waiting: 100,
};

/** Before the archive: what it is, and who vouches for it. */
const magic = "slipway-step-1 ";
const headBytes = magic.length + 64 + 1;

/**
 * Results of steps that several control planes share, in a bucket. Nothing of it ever fails or holds up a step: what cannot be had in
 * time is run, and a store that was away is left alone for a while. Only what somebody with the same secret has put there under this
 * very key is used: each result has a message authentication code over its key and its digest.
 */
export class SharedSteps {
  readonly #directory: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #log: Log;
  readonly #limits: SharedLimits;
  readonly #closing = new AbortController();
  readonly #pausedUntil = new Map<string, number>();
  #puts: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** `directory` is for what is under way. */
  constructor(
    directory: string,
    { clock, log, limits = {} }: { clock: Pick<Clock, "now">; log: Log; limits?: Partial<SharedLimits> },
  ) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    this.#limits = { ...usual, ...limits };
  }

  /** Brings what is kept under the key into a new directory. False when there is nothing that may be used, whyever. */
  async bring(key: string, store: SharedStore, into: string): Promise<boolean> {
    if (this.#isPaused(store)) return false;
    const file = join(this.#directory, `making-${randomBytes(6).toString("hex")}.tar`);
    const answer = linkedSignal([this.#closing.signal], this.#limits.answerMs);
    const whole = linkedSignal([this.#closing.signal, answer.signal], this.#limits.fetchMs);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const body = await this.#bucket(store).get(nameOf(key, store), whole.signal);
      answer.release();
      if (body === null) return false;
      const taken = await takeInto(file, body, this.#limits.objectBytes);
      if (taken === null) return false;
      if (!isVouchedFor(taken, key, store)) {
        this.#log.warn("step-cache.shared-wrong", { key, bucket: store.bucket, bytes: taken.bytes });
        return false;
      }
      await unpackArchive({ file, digest: `sha256:${taken.digest}` }, into);
      return true;
    } catch (error) {
      this.#leaveAlone(store, whole.signal.aborted ? whole.signal.reason : error);
      return false;
    } finally {
      answer.release();
      whole.release();
      await rm(file, { force: true });
    }
  }

  /** Puts a result there when those before it are; nobody waits for it. */
  offer(key: string, store: SharedStore, from: string): void {
    if (this.#isPaused(store) || this.#waiting >= this.#limits.waiting) return;
    this.#waiting++;
    this.#puts = this.#puts.then(async () => {
      try {
        if (!this.#isPaused(store)) await this.#put(key, store, from);
      } catch (error) {
        this.#leaveAlone(store, error);
      } finally {
        this.#waiting--;
      }
    });
  }

  /** When all that was offered is there, or has been given up. */
  settled(): Promise<void> {
    return this.#puts;
  }

  /** What is under way may end within the time. */
  async close(withinMs: number): Promise<void> {
    const timer = setTimeout(() => this.#closing.abort(new Error("the control plane ends")), withinMs);
    await this.#puts;
    clearTimeout(timer);
    this.#closing.abort(new Error("the control plane has ended"));
  }

  async #put(key: string, store: SharedStore, from: string): Promise<void> {
    const file = join(this.#directory, `making-${randomBytes(6).toString("hex")}.tar`);
    const { signal, release } = linkedSignal([this.#closing.signal], this.#limits.putMs);
    try {
      // It may have made room for others meanwhile.
      const packed = await packDirectory(from, file).catch(() => null);
      if (packed === null || packed.bytes + headBytes > this.#limits.objectBytes) return;
      const head = Buffer.from(`${magic}${macOf(key, packed.digest.slice("sha256:".length), store)}\n`);
      const hash = createHash("sha256").update(head);
      for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
      const content = {
        stream: Readable.from(headed(head, file), { objectMode: false }),
        bytes: packed.bytes + headBytes,
        sha256: hash.digest("hex"),
      };
      await this.#bucket(store).put(nameOf(key, store), content, signal);
    } finally {
      release();
      await rm(file, { force: true });
    }
  }

  #bucket(store: SharedStore): Bucket {
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = store;
    const credentials = { accessKeyId, secretAccessKey, sessionToken: null };
    return new Bucket({ endpoint, bucket, region, credentials, now: () => this.#clock.now() });
  }

  #isPaused({ endpoint, bucket }: SharedStore): boolean {
    return (this.#pausedUntil.get(`${endpoint} ${bucket}`) ?? 0) > this.#clock.now();
  }

  #leaveAlone(store: SharedStore, error: unknown): void {
    if (this.#closing.signal.aborted || this.#isPaused(store)) return;
    const { endpoint, bucket } = store;
    this.#pausedUntil.set(`${endpoint} ${bucket}`, this.#clock.now() + this.#limits.pauseMs);
    this.#log.warn("step-cache.shared-away", { endpoint, bucket, reason: reasonOf(error) });
  }
}

const nameOf = (key: string, { prefix }: Pick<SharedCacheSpec, "prefix">): string =>
  `${prefix === "" ? "" : `${prefix}/`}steps/${key}`;

function macOf(key: string, digest: string, { secretAccessKey }: Pick<SharedStore, "secretAccessKey">): string {
  return createHmac("sha256", secretAccessKey).update(`${magic}${key} ${digest}`).digest("hex");
}

type Taken = { readonly head: string; readonly digest: string; readonly bytes: number };

function isVouchedFor({ head, digest }: Taken, key: string, store: SharedStore): boolean {
  const right = Buffer.from(`${magic}${macOf(key, digest, store)}\n`);
  const seen = Buffer.from(head, "latin1");
  return seen.length === right.length && timingSafeEqual(seen, right);
}

/** The archive without what is before it, and what it came to; null when it is larger. */
async function takeInto(file: string, body: Readable, maxBytes: number): Promise<Taken | null> {
  const handle = await open(file, "wx", 0o600);
  try {
    const hash = createHash("sha256");
    let head = Buffer.alloc(0);
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) return null;
      const missing = headBytes - head.length;
      if (missing > 0) head = Buffer.concat([head, chunk.subarray(0, missing)]);
      const rest = missing > 0 ? chunk.subarray(missing) : chunk;
      hash.update(rest);
      await handle.writeFile(rest);
    }
    return { head: head.toString("latin1"), digest: hash.digest("hex"), bytes };
  } finally {
    await handle.close();
  }
}

async function* headed(head: Buffer, file: string): AsyncGenerator<Buffer> {
  yield head;
  for await (const chunk of createReadStream(file)) yield chunk as Buffer;
}
