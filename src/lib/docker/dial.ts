import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { linkedSignal } from "../linked-signal.ts";
import type { Ssh } from "../ssh/open-ssh.ts";
import { type TlsFiles, tlsOf } from "./tls-files.ts";

/** Where an engine listens. */
export type Endpoint =
  | { readonly kind: "unix"; readonly socket: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: TlsFiles | null }
  | { readonly kind: "ssh"; readonly ssh: Ssh; readonly socket: string };

export type SshAddress = { readonly destination: string; readonly port: number | null; readonly socket: string };

const defaultSocket = "/var/run/docker.sock";
const defaultTlsPort = 2376;
const connectTimeoutMs = 10_000;
/** Of silence, before the other side is asked whether it is there; Node then asks ten times, once a second. As long as SSH takes. */
const aliveAfterMs = 5_000;

/** Another way to the engine, tried in turn for an ssh host: its socket forwarded, else the docker program there. */
export type Dial = (signal: AbortSignal) => Promise<Duplex>;

/** Ways to one endpoint, best first. */
export function dialsOf(endpoint: Endpoint): readonly Dial[] {
  switch (endpoint.kind) {
    case "unix":
      return [(signal) => connected(createConnection(endpoint.socket), signal)];
    case "tcp":
      return [tcpDial(endpoint)];
    case "ssh":
      return [
        async (signal) => (await endpoint.ssh.forward({ socket: endpoint.socket }, signal)).connect(signal),
        (signal) => endpoint.ssh.stream(["docker", "system", "dial-stdio"], signal),
      ];
  }
}

/** `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host:22[/path/of/docker.sock]`. Throws TypeError for others. */
export function parseUrl(
  url: string,
):
  | { readonly kind: "unix"; readonly socket: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | ({ readonly kind: "ssh" } & SshAddress) {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const path = parsed === null ? "" : decodeURIComponent(parsed.pathname);
  if (parsed?.protocol === "unix:" && parsed.host === "" && path.length > 1) return { kind: "unix", socket: path };
  const isPlain = parsed !== null && parsed.password === "" && parsed.search === "" && parsed.hash === "";
  if (isPlain && parsed.protocol === "tcp:" && parsed.hostname !== "" && path.length <= 1) {
    return { kind: "tcp", host: parsed.hostname, port: parsed.port === "" ? defaultTlsPort : Number(parsed.port) };
  }
  if (isPlain && parsed.protocol === "ssh:" && parsed.hostname !== "") {
    const user = decodeURIComponent(parsed.username);
    return {
      kind: "ssh",
      destination: user === "" ? parsed.hostname : `${user}@${parsed.hostname}`,
      port: parsed.port === "" ? null : Number(parsed.port),
      socket: path.length > 1 ? path : defaultSocket,
    };
  }
  throw new TypeError(`${JSON.stringify(url)} is no engine: use unix:///path, ssh://user@host:port or tcp://host:port`);
}

function tcpDial({ host, port, tls }: Extract<Endpoint, { kind: "tcp" }>): Dial {
  if (tls === null)
    return (signal) =>
      connected(
        createConnection({ host, port, keepAlive: true, keepAliveInitialDelay: aliveAfterMs, noDelay: true }),
        signal,
      );
  const context = tlsOf(tls, `tcp://${host}:${port}`);
  return async (signal) => {
    const socket = connectTls({ host, port, secureContext: await context(), rejectUnauthorized: true });
    socket.setKeepAlive(true, aliveAfterMs);
    socket.setNoDelay(true);
    return connected(socket, signal, "secureConnect");
  };
}

async function connected(socket: Socket, signal: AbortSignal, event = "connect"): Promise<Socket> {
  const { signal: either, release } = linkedSignal([signal], connectTimeoutMs);
  const stop = () => socket.destroy(Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" }));
  either.addEventListener("abort", stop, { once: true });
  if (either.aborted) stop();
  try {
    await once(socket, event);
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    release();
  }
}
