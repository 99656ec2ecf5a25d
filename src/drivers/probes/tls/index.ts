import { connect, type TLSSocket } from "node:tls";
import { wordsOf } from "../../../lib/wire/wire.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type TlsOptions = {
  readonly host: string;
  readonly port: number;
  readonly servername: string;
  /** Fails when the certificate ends sooner. */
  readonly days: number;
  /** PEM of a CA to believe besides the system's; for tests. */
  readonly ca?: string;
};

const dayMs = 86_400_000;

/** Passes when the certificate is believed, is for that name, and does not end soon. Tells `certificate days` whatever it is like. */
export function tlsProbe(options: TlsOptions, now: () => number = Date.now): Gauge {
  return {
    read: async (signal) => {
      const socket = await handshake(options, signal);
      try {
        return judge(socket, options, now());
      } finally {
        socket.destroy();
      }
    },
  };
}

function judge(socket: TLSSocket, { days }: TlsOptions, now: number): Outcome {
  const { valid_to } = socket.getPeerCertificate();
  const ends = Date.parse(valid_to ?? "");
  if (!Number.isFinite(ends)) return { is: "unknown", saw: "it shows no certificate" };
  const left = (ends - now) / dayMs;
  const values = { "certificate days": left };
  const until = `its certificate ${left < 0 ? "ended" : "ends"} on ${new Date(ends).toISOString().slice(0, 10)}`;
  if (!socket.authorized)
    return { is: "fail", saw: `${until} and is not believed: ${String(socket.authorizationError)}`, values };
  if (left < days) return { is: "fail", saw: `${until}, in ${left.toFixed(1)} days; ${days} are wanted`, values };
  return { is: "pass", saw: until, values };
}

async function handshake({ host, port, servername, ca }: TlsOptions, signal: AbortSignal): Promise<TLSSocket> {
  signal.throwIfAborted();
  // Whether it is believed is a part of what is measured, so a certificate that is not must not end the handshake.
  const socket = connect({ host, port, servername, rejectUnauthorized: false, ...(ca !== undefined && { ca }) });
  const abort = (): void => {
    socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("called off"));
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", (error: NodeJS.ErrnoException) => reject(new Error(wordsOf(error))));
      socket.once("close", () => reject(new Error("connection closed")));
    });
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.on("error", () => {});
  }
}
