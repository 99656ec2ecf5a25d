import { openAsBlob } from "node:fs";
import { open } from "node:fs/promises";
import { type LeaseView, ourMark } from "../../api/agent-contract.ts";
import { digestHeader } from "../../api/digest-header.ts";
import type { JobEnd } from "../../ports/executor.ts";
import { certificateTrouble } from "./certificate.ts";

/** The step is not ours any more, or the token does not hold: it is ended. */
export class NotOurs extends Error {
  override readonly name = "NotOurs";
}

/** Longer than the control plane keeps a question for work waiting. */
const answerMs = 60_000;
const againMs = 500;
/** What a step has made is sent in this time, tries included, or not at all. */
const madeMs = 5 * 60_000;
const jsonHeaders = { "content-type": "application/json" };
const bytesHeaders = { "content-type": "application/octet-stream" };

/** Where an agent may die with a part of its work done. */
export type Boundary = "workspace half" | "log sent" | "made to send" | "made sent" | "end to tell" | "end told";

export type LinkOptions = {
  readonly url: string;
  readonly token: string;
  readonly log: (line: string) => void;
  /** For crash tests: called at every boundary. */
  readonly onBoundary?: (at: Boundary) => void;
};

/**
 * An agent's way to its control plane. Each call is repeated until the control plane itself has answered: it may be away for a while, and
 * what a proxy in between says of it (403, 404, a page with 200) is no word of its own.
 */
export class Link {
  readonly #url: string;
  readonly #token: string;
  readonly #log: (line: string) => void;
  readonly #onBoundary: (at: Boundary) => void;
  #trouble = "";

  constructor(at: LinkOptions) {
    this.#url = at.url.replace(/\/+$/, "");
    this.#token = at.token;
    this.#log = at.log;
    this.#onBoundary = at.onBoundary ?? (() => undefined);
  }

  /** What this agent had in hand before is not there any more. */
  async anew(signal: AbortSignal): Promise<void> {
    await (await this.#ask("POST", "anew", () => "{}", jsonHeaders, signal)).text();
  }

  /** Null: there is none now. Errors: NotOurs, when the token does not hold. */
  async take(
    has: { readonly labels: readonly string[]; readonly engine: boolean; readonly compose: boolean },
    signal: AbortSignal,
  ): Promise<LeaseView | null> {
    const answer = await this.#ask("POST", "leases", () => JSON.stringify(has), jsonHeaders, signal);
    return answer.status === 204 ? null : ((await answer.json()) as LeaseView);
  }

  async beat(id: string, signal: AbortSignal): Promise<void> {
    await (await this.#ask("POST", `leases/${id}/beat`, () => "{}", jsonHeaders, signal)).text();
  }

  /** Writes what the step works on to a file, from its beginning again when the connection is cut in the middle. Answers its digest. */
  async workspace(id: string, file: string, signal: AbortSignal): Promise<string> {
    for (;;) {
      const answer = await this.#ask("GET", `leases/${id}/workspace`, () => null, {}, signal);
      try {
        await this.#write(answer, file);
        return answer.headers.get(digestHeader) ?? "";
      } catch (error) {
        signal.throwIfAborted();
        if (!isCut(error)) throw error;
        this.#log(`the connection was cut while ${id} was fetched: ${wordsOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, againMs));
      }
    }
  }

  async #write(answer: Response, file: string): Promise<void> {
    const to = await open(file, "w", 0o600);
    try {
      for await (const chunk of answer.body ?? []) {
        await to.writeFile(chunk);
        this.#onBoundary("workspace half");
      }
    } finally {
      await to.close();
    }
  }

  /** Answers how much of the log is there. */
  async log(id: string, offset: number, piece: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number> {
    const answer = await this.#ask("PUT", `leases/${id}/log?offset=${offset}`, () => piece, bytesHeaders, signal);
    const { bytes } = (await answer.json()) as { bytes: number };
    this.#onBoundary("log sent");
    return bytes;
  }

  async made(id: string, file: string, signal: AbortSignal): Promise<void> {
    const blob = await openAsBlob(file);
    this.#onBoundary("made to send");
    await (
      await this.#ask(
        "PUT",
        `leases/${id}/made`,
        () => blob,
        bytesHeaders,
        AbortSignal.any([signal, AbortSignal.timeout(madeMs)]),
      )
    ).text();
    this.#onBoundary("made sent");
  }

  async end(id: string, end: JobEnd, made: string | null, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ end, made });
    this.#onBoundary("end to tell");
    await (await this.#ask("POST", `leases/${id}/end`, () => body, jsonHeaders, signal)).text();
    this.#onBoundary("end told");
  }

  async #ask(
    method: string,
    path: string,
    body: () => string | Uint8Array<ArrayBuffer> | Blob | null,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    for (;;) {
      signal.throwIfAborted();
      let cause: unknown;
      const trouble = await this.#once(method, path, body(), headers, signal).catch((error: unknown) => {
        if (error instanceof NotOurs) throw error;
        signal.throwIfAborted();
        cause = (error as Error).cause;
        return wordsOf(error as Error);
      });
      if (typeof trouble !== "string") {
        this.#trouble = "";
        return trouble;
      }
      // The same again is no news.
      if (trouble !== this.#trouble) {
        this.#trouble = trouble;
        this.#log(`the control plane is not reached: ${(await certificateTrouble(cause, this.#url)) ?? trouble}`);
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  async #once(
    method: string,
    path: string,
    body: string | Uint8Array<ArrayBuffer> | Blob | null,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    // A large file may take longer than an answer may.
    const bound =
      body instanceof Blob || method === "GET" ? signal : AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    const answer = await fetch(`${this.#url}/agent/${path}`, {
      method,
      body,
      headers: { ...headers, authorization: `Bearer ${this.#token}` },
      redirect: "error",
      signal: bound,
    });
    const isOurs = answer.headers.get(ourMark.header) === ourMark.value;
    if (answer.ok && isOurs) return answer;
    const said = await beginningOf(answer);
    if (!isOurs)
      throw new Error(
        `something in between answered ${answer.status}, and not the control plane: is ${this.#url} the address of its triggers.listen, and does the proxy pass /agent/ on? ${JSON.stringify(said.slice(0, 100))}`,
      );
    if ([400, 401, 403, 404, 413].includes(answer.status)) throw new NotOurs(said);
    throw new Error(`it answered ${answer.status} ${said}`);
  }
}

/** As `fetch` says that a body has ended too early; what the disk says has a code of its own. */
function isCut(error: unknown): error is TypeError {
  return error instanceof TypeError;
}

/** With its cause: that alone says why a `fetch` has failed. */
function wordsOf({ message, cause }: Error): string {
  return cause === undefined ? message : `${message}: ${String(cause)}`;
}

/** So many bytes at most: it may be of a stranger. */
const shownBytes = 500;

async function beginningOf({ body }: Response): Promise<string> {
  let bytes = Buffer.alloc(0);
  // Leaving the loop lets go of the rest.
  for await (const chunk of body ?? []) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= shownBytes) break;
  }
  return bytes.toString("utf8", 0, shownBytes);
}
