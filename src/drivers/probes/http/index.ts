import { request } from "node:http";
import type { ProbeAnswer } from "../../../core/judge/probe.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { HttpProbe, Prober } from "../../../ports/probe.ts";

const maxBodyBytes = 64 * 1024;

/** Probes by plain HTTP/1.1 GET on a fresh connection, so that a listener that is gone is noticed at once. */
export function httpProber(clock: Clock): Prober {
  return { http: (probe, signal) => get(probe, clock, signal) };
}

function get(probe: HttpProbe, clock: Clock, signal: AbortSignal): Promise<ProbeAnswer> {
  const started = clock.monotonicMs();
  const { promise, settle } = once<ProbeAnswer>();
  const tookMs = (): number => Math.round((clock.monotonicMs() - started) * 10) / 10;
  const nothing = (why: string): void => settle({ is: "nothing", at: clock.now(), tookMs: tookMs(), why });
  const [host, port] = splitAddress(probe.address);
  const asked = request({
    host,
    port,
    path: probe.path,
    method: "GET",
    agent: false,
    headers: { host: probe.address, "user-agent": "slipway-probe", accept: "*/*", connection: "close" },
  });
  const timer = setTimeout(() => {
    nothing(`no answer within ${probe.timeoutMs} ms`);
    asked.destroy();
  }, probe.timeoutMs);
  asked.on("error", (error: NodeJS.ErrnoException) => nothing(describe(error)));
  asked.on("response", (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const answer = (): void => {
      const body = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString("utf8");
      settle({ is: "answer", at: clock.now(), tookMs: tookMs(), status: response.statusCode ?? 0, body });
    };
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < maxBodyBytes) return;
      answer();
      asked.destroy();
    });
    response.on("end", answer);
    response.on("error", (error: NodeJS.ErrnoException) => nothing(describe(error)));
  });
  const abort = (): void => {
    asked.destroy();
  };
  signal.addEventListener("abort", abort, { once: true });
  asked.end();
  return promise.then((answer) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    signal.throwIfAborted();
    return answer;
  });
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
