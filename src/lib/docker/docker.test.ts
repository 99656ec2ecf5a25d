import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine, type TestEngine } from "../../testing/hosts/engine.ts";
import { shellImage } from "../../testing/hosts/shell-image.ts";
import { Sshd } from "../ssh/sshd.fixture.ts";
import {
  createContainer,
  inspectContainer,
  listContainers,
  removeContainer,
  startContainer,
  waitContainer,
} from "./containers.ts";
import { parseUrl } from "./dial.ts";
import { type Docker, openDocker, pathOf } from "./docker.ts";
import { DockerError } from "./errors.ts";
import { containerEvents } from "./events.ts";
import { attachExec, createExec, execExitCode } from "./exec.ts";
import { framesOf } from "./frames.ts";
import { getImages, inspectImage, loadImage, pullImage } from "./images.ts";

const never = new AbortController().signal;

const failureOf = async (work: Promise<unknown>): Promise<DockerError> => {
  const failure = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(failure instanceof DockerError)) throw new Error(`no DockerError but ${String(failure)}`);
  return failure;
};

describe("an engine's address", () => {
  test("is a socket, a host by ssh, or a port", () => {
    expect(parseUrl("unix:///var/run/docker.sock")).toEqual({ kind: "unix", socket: "/var/run/docker.sock" });
    expect(parseUrl("tcp://10.0.0.4:2376")).toEqual({ kind: "tcp", host: "10.0.0.4", port: 2376 });
    expect(parseUrl("ssh://deploy@host:2222")).toEqual({
      kind: "ssh",
      destination: "deploy@host",
      port: 2222,
      socket: "/var/run/docker.sock",
    });
    expect(parseUrl("ssh://alias/run/user/1000/docker.sock")).toMatchObject({
      destination: "alias",
      port: null,
      socket: "/run/user/1000/docker.sock",
    });
    for (const url of ["", "docker", "http://x", "unix://", "ssh://", "tcp://", "ssh://u:p@host", "tcp://h/path"]) {
      expect(() => parseUrl(url), url).toThrow("is no engine");
    }
  });
});

describe("frames of an output", () => {
  const frame = (stream: number, text: string): Buffer => {
    const head = Buffer.alloc(8);
    head[0] = stream;
    head.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  const read = async (chunks: readonly Buffer[]): Promise<string[]> => {
    const seen: string[] = [];
    for await (const { stream, data } of framesOf(Readable.from(chunks))) seen.push(`${stream} ${data.toString()}`);
    return seen;
  };

  test("are the same however the bytes arrive", async () => {
    const whole = Buffer.concat([frame(1, "one"), frame(2, ""), frame(2, "zwei ü"), frame(1, "x".repeat(20_000))]);
    const expected = ["stdout one", "stderr ", "stderr zwei ü", `stdout ${"x".repeat(20_000)}`];
    expect(await read([whole])).toEqual(expected);
    for (const size of [1, 3, 8, 9, 4_096]) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
        whole.subarray(i * size, (i + 1) * size),
      );
      expect(await read(pieces)).toEqual(expected);
    }
  });

  test("that are none, or too long, are refused", async () => {
    await expect(read([Buffer.from("plain text, no frames")])).rejects.toThrow("not in frames");
    const huge = Buffer.alloc(8);
    huge[0] = 1;
    huge.writeUInt32BE(0xffff_ffff, 4);
    await expect(read([huge])).rejects.toThrow("not in frames");
  });
});

describe("a real engine", () => {
  let engine: TestEngine;
  let docker: Docker;
  let image: string;

  beforeAll(async () => {
    engine = await startEngine({ version: "20.10" });
    docker = openDocker({ url: engine.url });
    image = (await shellImage(engine)).name;
  });

  afterAll(async () => {
    await docker?.close();
    await engine?.down();
  });

  const make = (name: string, command: readonly string[], more: object = {}) =>
    createContainer(
      docker,
      name,
      { Image: image, Cmd: command, Labels: { suite: name }, HostConfig: { NetworkMode: "none" }, ...more },
      never,
    );

  test("says what it is, and refuses in its own words", async () => {
    expect(await docker.version(never)).toMatchObject({ api: "1.41", os: "linux" });
    expect(await inspectContainer(docker, "nobody", never)).toBeNull();
    expect(await inspectImage(docker, "no/such:image", never)).toBeNull();
    expect(await failureOf(make("x/y", ["true"]))).toMatchObject({ code: "REFUSED", status: 400 });
    const pull = pullImage(docker, { repository: "127.0.0.1:1/x", reference: "latest", auth: null }, { signal: never });
    expect(await failureOf(pull)).toMatchObject({ code: "REFUSED", message: expect.stringContaining("refused") });
    expect(pathOf`/images/${"a/b:c?d#e"}/json`).toBe("/images/a%2Fb%3Ac%3Fd%23e/json");
  });

  test("runs a container: events, exit code, and nothing left", async () => {
    const stop = new AbortController();
    let isListening: () => void = () => {};
    const listening = new Promise<void>((resolve) => {
      isListening = resolve;
    });
    const events: string[] = [];
    const heard = (async () => {
      const query = { labels: { suite: "events" }, actions: ["start", "die", "destroy"], onListening: isListening };
      for await (const { Action } of containerEvents(docker, query, stop.signal)) {
        events.push(Action);
        if (Action === "destroy") return;
      }
    })();
    await listening;
    const id = await make("events", ["sh", "-c", "exit 3"]);
    await startContainer(docker, id, never);
    expect(await waitContainer(docker, id, never)).toBe(3);
    await removeContainer(docker, id, never);
    await removeContainer(docker, id, never);
    await heard;
    stop.abort();
    expect(events).toEqual(["start", "die", "destroy"]);
    expect(await listContainers(docker, { labels: { suite: "events" } }, never)).toEqual([]);
  });

  test("gives both ends of a command's streams, framed and with a terminal", async () => {
    const id = await make("exec", ["sleep", "1000"]);
    await startContainer(docker, id, never);
    const cat = await createExec(
      docker,
      id,
      { Cmd: ["sh", "-c", "cat; echo done >&2; exit 4"], AttachStdin: true },
      never,
    );
    const both = await attachExec(docker, cat, { tty: false }, never);
    both.end("there and back");
    const seen: string[] = [];
    for await (const { stream, data } of framesOf(both as Readable)) seen.push(`${stream} ${data.toString()}`);
    expect(seen).toEqual(["stdout there and back", "stderr done\n"]);
    expect(await execExitCode(docker, cat, never)).toBe(4);
    const shell = await createExec(docker, id, { Cmd: ["sh"], AttachStdin: true, Tty: true }, never);
    const terminal = await attachExec(docker, shell, { tty: true }, never);
    let screen = "";
    terminal.on("data", (chunk: Buffer) => {
      screen += chunk.toString();
    });
    terminal.write("tty && exit\n");
    await once(terminal, "end");
    expect(screen).toContain("/dev/pts/");
    expect(await failureOf(attachExec(docker, "0".repeat(64), { tty: false }, never))).toMatchObject({
      code: "REFUSED",
      status: 404,
    });
    await removeContainer(docker, id, never);
  });

  test("gives an image away and takes it back, as streams", async () => {
    const seen = await inspectImage(docker, image, never);
    const archive = await getImages(docker, [image], never);
    await loadImage(docker, archive, { signal: never });
    expect((await inspectImage(docker, image, never))?.Id).toBe(seen?.Id);
    const bad = loadImage(docker, Readable.from([Buffer.from("no archive")]), { signal: never });
    expect(await failureOf(bad)).toMatchObject({ code: "REFUSED" });
  });

  test("that is restarted is found again; while it is gone it is away; an abort ends a call", async () => {
    await listContainers(docker, {}, never);
    await engine.restartEngine();
    expect(await listContainers(docker, {}, never)).toEqual([]);
    await engine.stopEngine();
    expect(await failureOf(listContainers(docker, {}, never))).toMatchObject({ code: "AWAY" });
    await engine.startEngine();
    expect(await listContainers(docker, {}, never)).toEqual([]);
    const id = await make("abort", ["sleep", "1000"]);
    await startContainer(docker, id, never);
    const stop = new AbortController();
    const waiting = waitContainer(docker, id, stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await removeContainer(docker, id, never);
  });

  test.each(["yes", "no"])(
    "is reached by ssh, whether its host forwards sockets (%s) or only runs programs",
    async (allowed) => {
      const sshd = await Sshd.start([`AllowStreamLocalForwarding ${allowed}`, `SetEnv DOCKER_HOST=${engine.url}`]);
      const { destination, port, ...ssh } = sshd.options();
      const remote = openDocker({ url: `ssh://${destination}:${port}${engine.socket}`, ssh });
      try {
        expect(await remote.version(never)).toMatchObject({ api: "1.41" });
        const id = await make(`ssh-${allowed}`, ["sh", "-c", "exit 6"]);
        await startContainer(remote, id, never);
        expect(await Promise.all([1, 2, 3].map(() => waitContainer(remote, id, never)))).toEqual([6, 6, 6]);
        sshd.cut();
        await expect
          .poll(
            () =>
              inspectContainer(remote, id, never).then(
                (seen) => seen?.State.ExitCode,
                () => null,
              ),
            { timeout: 60_000 },
          )
          .toBe(6);
        await removeContainer(remote, id, never);
        await sshd.stop();
        await expect(listContainers(remote, {}, never)).rejects.toMatchObject({ code: "AWAY" });
      } finally {
        await remote.close();
        await sshd.close();
      }
    },
  );

  test("is reached by a port with TLS, both sides checked", async () => {
    const directory = mkdtempSync(join(tmpdir(), "slipway-tls-"));
    const file = (name: string) => join(directory, name);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=127.0.0.1",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      file("key"),
      "-out",
      file("cert"),
    );
    const files = { ca: file("cert"), cert: file("cert"), key: file("key") };
    const read = { ca: readFileSync(files.ca), cert: readFileSync(files.cert), key: readFileSync(files.key) };
    const relay = createTlsServer({ ...read, requestCert: true, rejectUnauthorized: true }, (near) => {
      const far = connect(engine.socket);
      near.pipe(far).pipe(near);
      near.on("error", () => far.destroy());
      far.on("error", () => near.destroy());
    });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const url = `tcp://127.0.0.1:${(relay.address() as AddressInfo).port}`;
    const checked = openDocker({ url, tls: files });
    expect(await checked.version(never)).toMatchObject({ api: "1.41" });
    await checked.close();
    const plain = openDocker({ url, tls: null });
    await expect(plain.version(never)).rejects.toThrow();
    await plain.close();
    relay.close();
    rmSync(directory, { recursive: true });
  });
});

describe("an engine that is not what we speak", () => {
  const speaking = async (answer: string, work: (docker: Docker) => Promise<void>): Promise<void> => {
    const server = createServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const docker = openDocker({ url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, tls: null });
    try {
      await work(docker);
    } finally {
      await docker.close();
      server.close();
    }
  };
  const version = (api: string, least = "1.12") =>
    JSON.stringify({ Version: "x", ApiVersion: api, MinAPIVersion: least, Os: "linux", Arch: "amd64" });

  test("is refused when it is too old or too new, and spoken to in a version that both know", async () => {
    await speaking(version("1.40"), async (docker) => {
      expect(await failureOf(docker.version(never))).toMatchObject({
        code: "UNSUPPORTED",
        message: expect.stringContaining("1.40"),
      });
    });
    await speaking(version("1.60", "1.52"), async (docker) => {
      expect(await failureOf(docker.version(never))).toMatchObject({ code: "UNSUPPORTED" });
    });
    await speaking(version("1.60", "1.44"), async (docker) => {
      expect((await docker.version(never)).api).toBe("1.51");
    });
  });

  test("is late when it says nothing, or breaks off, and not just aborted", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/version") response.end(version("1.44"));
      else if (request.url?.includes("/begun") === true) response.write("half an");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const docker = openDocker({ url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, tls: null });
    await docker.version(never);
    for (const path of ["/nothing", "/begun"]) {
      const failure = await failureOf(docker.send({ method: "GET", path, signal: never, timeoutMs: 100 }));
      expect(failure).toMatchObject({ code: "TIMED_OUT", message: expect.stringContaining(path) });
    }
    const body = await docker.stream({ method: "GET", path: "/begun", signal: never });
    const read = (async () => {
      for await (const _ of body) server.closeAllConnections();
    })();
    expect(await failureOf(read)).toMatchObject({ code: "AWAY" });
    await docker.close();
    server.close();
  });

  test("is not believed when its answer makes no sense or has no end", async () => {
    await speaking("<html>", async (docker) => {
      expect(await failureOf(docker.version(never))).toMatchObject({ code: "PROTOCOL" });
    });
    await speaking(JSON.stringify({ ApiVersion: 1 }), async (docker) => {
      expect(await failureOf(docker.version(never))).toMatchObject({ code: "PROTOCOL" });
    });
    await speaking("x".repeat(17 * 1_048_576), async (docker) => {
      expect(await failureOf(docker.version(never))).toMatchObject({
        code: "PROTOCOL",
        message: expect.stringContaining("larger"),
      });
    });
  });
});
