import { type ClientRequest, type RequestOptions, request } from "node:http";
import { reasonOf } from "../../../core/errors/error.ts";
import type { ProbeAnswer } from "../../../core/judge/probe.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { HttpProbe, Prober } from "../../../ports/probe.ts";

const maxBodyBytes = 64 * 1024;

/** Probes by plain HTTP/1.1 GET on a fresh connection, so that a listener that is gone is noticed at once. */
export function httpProber(clock: Clock): Prober {
  return { http: (probe, signal) => get(probe, clock, signal) };
}

async function get(probe: HttpProbe, clock: Clock, signal: AbortSignal): Promise<ProbeAnswer> {
  signal.throwIfAborted();
  const started = clock.monotonicMs();
  const { promise, settle } = once<ProbeAnswer>();
  const tookMs = (): number => Math.round((clock.monotonicMs() - started) * 10) / 10;
  const nothing = (why: string): void => settle({ is: "nothing", at: clock.now(), tookMs: tookMs(), why });
  const answer = (status: number, body: string): void =>
    settle({ is: "answer", at: clock.now(), tookMs: tookMs(), status, body });
  const asked = ask(probe, { answer, nothing });
  const abort = (): void => {
    nothing("called off");
    asked?.destroy();
  };
  signal.addEventListener("abort", abort, { once: true });
  const result = await promise;
  signal.removeEventListener("abort", abort);
  signal.throwIfAborted();
  return result;
}

type Outcome = {
  readonly answer: (status: number, body: string) => void;
  readonly nothing: (why: string) => void;
};

/** Calls one of the two, once or more: the first counts. Null when it could not even be asked. */
function ask(probe: HttpProbe, { answer, nothing }: Outcome): ClientRequest | null {
  let status: number | null = null;
  let asked: ClientRequest;
  try {
    asked = request(requestOf(probe));
  } catch (error) {
    nothing(reasonOf(error));
    return null;
  }
  const timer = setTimeout(() => {
    const within = `within ${probe.timeoutMs} ms`;
    nothing(status === null ? `no answer ${within}` : `${status}, but its body did not end ${within}`);
    asked.destroy();
  }, probe.timeoutMs);
  asked.on("error", (error: NodeJS.ErrnoException) => nothing(describe(error)));
  asked.on("response", (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const code = response.statusCode ?? 0;
    status = code;
    const read = (): void => answer(code, Buffer.concat(chunks).subarray(0, maxBodyBytes).toString("utf8"));
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < maxBodyBytes) return;
      read();
      asked.destroy();
    });
    response.on("end", read);
    response.on("error", () => {});
    response.on("close", () => nothing(`connection closed in the middle of the answer, after ${code}`));
  });
  // Also when the other side wants to change the protocol, which is no error and no response.
  asked.on("close", () => {
    clearTimeout(timer);
    if (status === null) nothing("connection closed without an answer");
  });
  asked.end();
  return asked;
}

function requestOf({ address, path }: HttpProbe): RequestOptions {
  const [host, port] = splitAddress(address);
  const headers = { host: address, "user-agent": "slipway-probe", accept: "*/*", connection: "close" };
  return { host, port, path, method: "GET", agent: false, headers };
}

function once<T>(): { promise: Promise<T>; settle: (value: T) => void } {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at).replace(/^\[|\]$/g, ""), Number(address.slice(at + 1))];
}

function describe(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "connection refused: nothing listens there";
    case "ECONNRESET":
      return "connection closed without an answer";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "host unreachable";
    default:
      return error.code?.startsWith("HPE_") === true ? `not HTTP: ${error.message}` : error.message;
  }
}
