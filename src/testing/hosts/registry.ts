import { once } from "node:events";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Transform } from "node:stream";
import { engineRequest, type Reachable } from "./engine-request.ts";
import type { LoadedImage } from "./image-archive.ts";
import { needPrograms, run, spawnTied } from "./parts.ts";
import { openScene } from "./scene.ts";
import { certificateFor, startTokenServer, type TokenServer } from "./token-server.ts";

export type RegistryOptions = {
  /**
   * `basic`: the registry itself asks for user and password. `token`: it sends to a token server that asks for them, as GHCR and
   * Docker Hub do. Default: open to everybody.
   */
  readonly auth?: "basic" | "token";
  /** Default 127.0.0.1; the gateway of `startHosts` lets hosts pull from it. */
  readonly host?: string;
  /** HTTPS with a certificate of its own; `caFile` is what to trust. Default: plain HTTP. */
  readonly tls?: boolean;
  /** `no`: it keeps everything, as GHCR does for this API. */
  readonly removes?: "yes" | "no";
};

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bodyBytes: number;
};

/** Debian's registry, real, behind a small relay that counts and does harm on request. */
export type TestRegistry = {
  /** `host:port`: what a repository's name begins with. */
  readonly host: string;
  readonly url: string;
  readonly caFile: string | null;
  readonly user: string;
  readonly password: string;
  /** From now on only this one is taken. Without one the first is taken again. */
  changePassword(password?: string): Promise<void>;
  /** Every request since the start or the last `forget`. */
  readonly seen: readonly SeenRequest[];
  forget(): void;
  /** Answers are held up so long, each; or only those to requests of these paths. */
  slow(ms: number, where?: RegExp): void;
  /** Answers so, without asking the registry, where this gives a status; null ends it. */
  deny(rule: ((method: string, path: string) => number | null) | null): void;
  /** Moves an image that the engine has, and whose name begins with `host`, here: afterwards only the registry has it. */
  take(engine: Reachable, image: LoadedImage): Promise<void>;
  /** Cuts the connection of the next upload after so many bytes of its body. */
  cutNextUpload(afterBytes: number): void;
  /** The registry is away, connections are refused; its content stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  down(): Promise<void>;
};

type Harm = {
  slow: { readonly ms: number; readonly where: RegExp };
  deny: ((method: string, path: string) => number | null) | null;
  cutUploadAfter: number | null;
};

const user = "deployer";
const firstPassword = "correct horse battery staple";

/** Starts a registry on a free port. It ends with this process, however it ends. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  needPrograms("docker-registry", "setpriv", ...(options.auth === "basic" ? ["htpasswd"] : []));
  const scene = await openScene();
  const directory = join(scene.directory, "registry");
  await mkdir(directory, { recursive: true });
  const host = options.host ?? "127.0.0.1";
  const tls = options.tls === true ? await certificateFor(directory, host) : null;
  const account = { user, password: firstPassword };
  const tokens = options.auth === "token" ? await startTokenServer(directory, account) : null;
  const harm: Harm = { slow: { ms: 0, where: /^/ }, deny: null, cutUploadAfter: null };
  const seen: SeenRequest[] = [];
  let inner: RunningRegistry | null = null;
  const listener = relay(() => inner?.port ?? null, harm, seen);
  let front = tls === null ? createServer(listener) : createTlsServer({ key: tls.key, cert: tls.cert }, listener);
  await listenOn(front, host, 0);
  const { port } = front.address() as AddressInfo;
  const scheme = tls === null ? "http" : "https";
  const start = async (): Promise<void> => {
    inner = await startInner(directory, {
      port,
      scheme,
      host,
      auth: options.auth ?? null,
      password: account.password,
      tokens,
      removes: options.removes ?? "yes",
    });
  };
  const stopInner = async (): Promise<void> => {
    await inner?.stop();
    inner = null;
  };
  const registry: TestRegistry = {
    host: `${host}:${port}`,
    url: `${scheme}://${host}:${port}`,
    caFile: tls?.certFile ?? null,
    user,
    get password() {
      return account.password;
    },
    changePassword: async (password = firstPassword) => {
      account.password = password;
      // The registry looks at the file's time at each request.
      if (options.auth === "basic") await writePassword(directory, password);
    },
    seen,
    forget: () => void seen.splice(0),
    take: (engine, { name }) =>
      moveImage(engine, name, { username: user, password: account.password, serveraddress: `${host}:${port}` }),
    slow: (ms, where = /^/) => {
      harm.slow = { ms, where };
    },
    deny: (rule) => {
      harm.deny = rule;
    },
    cutNextUpload: (afterBytes) => {
      harm.cutUploadAfter = afterBytes;
    },
    stop: async () => {
      await Promise.all([closeServer(front), stopInner()]);
    },
    start: async () => {
      front = tls === null ? createServer(listener) : createTlsServer({ key: tls.key, cert: tls.cert }, listener);
      await listenOn(front, host, port);
      await start();
    },
    down: async () => {
      await Promise.all([closeServer(front), stopInner(), tokens?.close()]);
      await scene.close();
    },
  };
  try {
    await start();
    return registry;
  } catch (error) {
    await registry.down();
    throw error;
  }
}

async function moveImage(engine: Reachable, name: string, login: object): Promise<void> {
  const colon = name.lastIndexOf(":");
  const answer = await engineRequest(
    engine,
    "POST",
    `/images/${name.slice(0, colon)}/push?tag=${name.slice(colon + 1)}`,
    { type: "application/json", content: "" },
    { "x-registry-auth": Buffer.from(JSON.stringify(login)).toString("base64") },
  );
  if (answer.includes('"errorDetail"')) throw new Error(`the registry refused ${name}: ${answer.trim()}`);
  await engineRequest(engine, "DELETE", `/images/${name}`);
}

async function listenOn(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  await once(server, "listening");
}

async function closeServer(server: Server & { closeAllConnections?(): void }): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections?.();
  await closed;
}

type RunningRegistry = { readonly port: number; stop(): Promise<void> };

async function startInner(
  directory: string,
  options: {
    readonly port: number;
    readonly scheme: string;
    readonly host: string;
    readonly auth: "basic" | "token" | null;
    readonly password: string;
    readonly tokens: TokenServer | null;
    readonly removes: "yes" | "no";
  },
): Promise<RunningRegistry> {
  const auth = await authOf(directory, options);
  const config = {
    version: 0.1,
    log: { level: "info", formatter: "json" },
    storage: {
      filesystem: { rootdirectory: join(directory, "storage") },
      delete: { enabled: options.removes === "yes" },
    },
    // The relay's own address, so that the places it names for uploads lead back through the relay.
    http: { addr: "127.0.0.1:0", host: `${options.scheme}://${options.host}:${options.port}` },
    ...(auth === null ? {} : { auth }),
  };
  const file = join(directory, "config.yml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const child = spawnTied(["docker-registry", "serve", file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { OTEL_TRACES_EXPORTER: "none" },
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    let words = "";
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`docker-registry ended with exit code ${code}: ${words}`)));
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on("line", (line) => {
      words = `${words}\n${line}`.slice(-2_000);
      const found = /listening on [^"\s]*:(\d+)/.exec(line);
      if (found !== null) resolve(Number(found[1]));
    });
  });
  return {
    port,
    stop: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function authOf(
  directory: string,
  options: {
    readonly auth: "basic" | "token" | null;
    readonly password: string;
    readonly tokens: TokenServer | null;
  },
): Promise<object | null> {
  const { auth, tokens, password } = options;
  if (auth === null) return null;
  if (tokens !== null) return { token: tokens.config };
  return { htpasswd: { realm: "test", path: await writePassword(directory, password) } };
}

async function writePassword(directory: string, password: string): Promise<string> {
  const file = join(directory, "htpasswd");
  const fresh = `${file}.new`;
  await writeFile(fresh, await run(["htpasswd", "-niB", user], { input: password }), { mode: 0o600 });
  await rename(fresh, file);
  return file;
}

/** Passes requests on to the registry, keeps account of them, and does the harm that is asked for. */
function relay(port: () => number | null, harm: Harm, seen: SeenRequest[]): RequestListener {
  return (request, response) => {
    const { method = "GET", url: path = "/" } = request;
    let bodyBytes = 0;
    const note = (status: number): void => void seen.push({ method, path, status, bodyBytes });
    const denied = harm.deny?.(method, path) ?? null;
    const to = port();
    if (denied !== null || to === null) {
      const status = denied ?? 503;
      note(status);
      request.resume();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          errors: [{ code: status === 429 ? "TOOMANYREQUESTS" : "DENIED", message: "by rule of the test" }],
        }),
      );
      return;
    }
    const onward = httpRequest({ host: "127.0.0.1", port: to, method, path, headers: request.headers });
    onward.once("response", (answer) => {
      note(answer.statusCode ?? 0);
      setTimeout(
        () => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
        harm.slow.where.test(path) ? harm.slow.ms : 0,
      );
    });
    onward.once("error", () => response.destroy());
    response.once("close", () => onward.destroy());
    const meter = new Transform({
      transform(chunk: Buffer, _, done) {
        bodyBytes += chunk.length;
        const limit = harm.cutUploadAfter;
        if (limit !== null && (method === "PATCH" || method === "PUT") && bodyBytes >= limit) {
          harm.cutUploadAfter = null;
          note(0);
          // What came so far is passed on; then the line is dead.
          onward.write(chunk, () => {
            onward.destroy();
            request.socket.destroy();
          });
          return;
        }
        done(null, chunk);
      },
    });
    request.pipe(meter).pipe(onward);
  };
}
