import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import { connect, type Socket } from "node:net";
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
  const stop = ask(probe, { answer, nothing });
  const abort = (): void => {
    nothing("called off");
    stop();
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

/**
 * Calls one of the two, once or more: the first counts. Returns the way to call it off. The connection comes before the request:
 * while a program starts, most probes are refused, and the price of those is what the start has to bear.
 */
function ask(probe: HttpProbe, outcome: Outcome): () => void {
  const [host, port] = splitAddress(probe.address);
  let asked: ClientRequest | null = null;
  let status: number | null = null;
  let socket: Socket;
  try {
    socket = connect({ host, port });
  } catch (error) {
    outcome.nothing(reasonOf(error));
    return () => {};
  }
  const stop = (): void => {
    asked?.destroy();
    socket.destroy();
  };
  const timer = setTimeout(() => {
    const within = `within ${probe.timeoutMs} ms`;
    outcome.nothing(status === null ? `no answer ${within}` : `${status}, but its body did not end ${within}`);
    stop();
  }, probe.timeoutMs);
  // Also when the other side wants to change the protocol, which is no error and no response.
  socket.on("close", () => {
    clearTimeout(timer);
    if (status === null) outcome.nothing("connection closed without an answer");
  });
  socket.on("error", (error: NodeJS.ErrnoException) => outcome.nothing(describe(error)));
  socket.once("connect", () => {
    try {
      asked = request({ ...requestOf(probe), createConnection: () => socket });
    } catch (error) {
      outcome.nothing(reasonOf(error));
      return stop();
    }
    asked.on("error", (error: NodeJS.ErrnoException) => outcome.nothing(describe(error)));
    asked.on("response", (response) => {
      status = response.statusCode ?? 0;
      read(response, status, outcome, stop);
    });
    asked.end();
  });
  return stop;
}

function read(response: IncomingMessage, status: number, { answer, nothing }: Outcome, stop: () => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const tell = (): void => answer(status, Buffer.concat(chunks).subarray(0, maxBodyBytes).toString("utf8"));
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < maxBodyBytes) return;
    tell();
    stop();
  });
  response.on("end", tell);
  response.on("error", () => {});
  response.on("close", () => nothing(`connection closed in the middle of the answer, after ${status}`));
}

function requestOf({ address, path }: HttpProbe): RequestOptions {
  const headers = { host: address, "user-agent": "slipway-probe", accept: "*/*", connection: "close" };
  return { path, method: "GET", headers };
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
