import { connect } from "node:net";

/** A relay in between (SSH's tunnel, Docker's proxy) takes every connection, and closes it when nobody is behind it. */
const settleMs = 250;

/** Whether somebody takes TCP connections at `host:port` and keeps them; null when so, else what was met. Sends nothing. */
export function whyNotListening(address: string, timeoutMs: number, signal: AbortSignal): Promise<string | null> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)) });
    const settle = (why: string | null): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(why);
    };
    const abort = (): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(signal.reason);
    };
    let timer = setTimeout(() => settle(`no connection within ${timeoutMs} ms`), timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => {
      clearTimeout(timer);
      timer = setTimeout(() => settle(null), settleMs);
    });
    socket.once("data", () => settle(null));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      settle(error.code === "ECONNREFUSED" ? "connection refused: nothing listens there" : error.message),
    );
    socket.once("close", () => settle("connection closed at once: nothing listens behind it"));
    if (signal.aborted) abort();
  });
}
