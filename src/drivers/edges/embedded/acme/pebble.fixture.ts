import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request as requestPlain } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import type { TestAuthority } from "../../../../testing/conformance/edge/authority.ts";
import { freePort } from "../../../../testing/ports.ts";

/** Pebble, the ACME server that Let's Encrypt tests clients with, and a DNS server that knows every name as 127.0.0.1. */
export type Pebble = {
  readonly directoryUrl: string;
  /** The certificate that signs what it issues; another one after each start. */
  root(): Promise<string>;
  /** From now on the name is at this address. */
  move(host: string, address: string): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  dispose(): Promise<void>;
};

/** `httpPort` is where it asks its challenges. It refuses every fifth nonce, as it may. */
export async function startPebble(
  authority: TestAuthority,
  options: { readonly httpPort: number; readonly validityS?: number },
): Promise<Pebble> {
  const [port, managementPort, dnsPort, namesPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const { certFile, keyFile } = await authority.issue("pebble", ["127.0.0.1", "localhost"]);
  const configFile = join(authority.directory, "pebble.json");
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: certFile,
    privateKey: keyFile,
    httpPort: options.httpPort,
    tlsPort: options.httpPort,
    ocspResponderURL: "",
    externalAccountBindingRequired: false,
    certificateValidityPeriod: options.validityS ?? 86_400,
  };
  await writeFile(configFile, JSON.stringify({ pebble }));
  const names = await launch("pebble-challtestsrv", [
    ...["-dns01", `127.0.0.1:${dnsPort}`, "-management", `127.0.0.1:${namesPort}`, "-defaultIPv6", ""],
    ...["-http01", "", "-https01", "", "-tlsalpn01", ""],
  ]);
  const post = (path: string, body: unknown): Promise<string> => {
    const call = requestPlain({ host: "127.0.0.1", port: namesPort, path, method: "POST", agent: false });
    return text(call.end(JSON.stringify(body)));
  };
  let server: ChildProcess | null = null;
  const stop = async (): Promise<void> => {
    await end(server);
    server = null;
  };
  const start = async (): Promise<void> => {
    server = await launch("pebble", ["-config", configFile, "-dnsserver", `127.0.0.1:${dnsPort}`]);
  };
  await start();
  return {
    directoryUrl: `https://127.0.0.1:${port}/dir`,
    root: () =>
      text(
        request({ host: "127.0.0.1", port: managementPort, path: "/roots/0", ca: authority.ca, agent: false }).end(),
      ),
    async move(host, address) {
      await post("/clear-a", { host });
      await post("/add-a", { host, addresses: [address] });
    },
    start,
    stop,
    async dispose() {
      await stop();
      await end(names);
    },
  };
}

/** Resolves when it says that it serves. */
async function launch(program: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "20" },
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new Error(`${program} cannot be started; install Debian's package pebble`, { cause })),
    );
    child.once("exit", () => reject(new Error(`${program} ended: ${said}`)));
    for (const output of [child.stdout, child.stderr])
      output.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (/ACME directory available|Starting management server/.test(said)) resolve();
      });
  });
  return child;
}

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

function text(call: import("node:http").ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    call.once("error", reject);
    call.once("response", (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      answer.once("end", () =>
        answer.statusCode === 200 ? resolve(body) : reject(new Error(`${answer.statusCode} ${body}`)),
      );
    });
  });
}
