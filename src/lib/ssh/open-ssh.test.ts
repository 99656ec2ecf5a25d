import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SshError } from "./errors.ts";
import { Haste } from "./haste.ts";
import { openSsh, type Ssh } from "./open-ssh.ts";
import { Sshd } from "./sshd.fixture.ts";

const never = new AbortController().signal;
let sshd: Sshd;
let ssh: Ssh;

beforeAll(async () => {
  sshd = await Sshd.start();
  ssh = openSsh(sshd.options());
});

afterAll(async () => {
  await ssh?.close();
  await sshd?.close();
});

const failureOf = async (work: Promise<unknown>): Promise<SshError> => {
  const failure = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(failure instanceof SshError)) throw new Error(`no SshError but ${String(failure)}`);
  return failure;
};

describe("a command on a host", () => {
  test("reads back every word as it was, whatever is in it", async () => {
    const nasty = [
      "",
      " ",
      "a b",
      "'",
      '"',
      "\\",
      "'\\''",
      "$HOME `id` $(id)",
      "a\nb",
      "-n",
      "*",
      "~",
      "!!",
      "ü漢",
      "a=b",
      ";|&<>",
      "\\n'\"\\",
    ];
    const script = 'for w in "$@"; do printf "%s\\0" "$w"; done';
    const done = await ssh.run(["sh", "-c", script, "sh", ...nasty], { signal: never });
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout.split("\0").slice(0, -1)).toEqual(nasty);
    await expect(ssh.run(["a\0b"], { signal: never })).rejects.toThrow("NUL");
  });

  test("has its exit code, its outputs apart, its lines as they come, and its input", async () => {
    const lines: string[] = [];
    const done = await ssh.run(["sh", "-c", "cat; echo err >&2; exit 7"], {
      stdin: Readable.from(["one\n", "two"]),
      signal: never,
      onLine: (line, stream) => lines.push(`${stream} ${line}`),
    });
    expect(done).toEqual({ code: 7, stdout: "one\ntwo", stderr: "err\n" });
    expect(lines.sort()).toEqual(["stderr err", "stdout one", "stdout two"]);
    expect((await ssh.run(["sh", "-c", "exit 255"], { signal: never })).code).toBe(255);
    expect((await ssh.run(["there-is-no-such-command"], { signal: never })).code).toBe(127);
  });

  test("is bounded: in bytes, in time, and by the caller", async () => {
    const loud = await failureOf(ssh.run(["cat", "/dev/zero"], { signal: never, maxBytes: 100_000 }));
    expect(loud).toMatchObject({ code: "FAILED", message: expect.stringContaining("100000 bytes") });
    const slow = await failureOf(ssh.run(["sleep", "100"], { signal: never, timeoutMs: 50 }));
    expect(slow.code).toBe("TIMED_OUT");
    const stop = new AbortController();
    const aborted = ssh.run(["sleep", "100"], { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
  });

  test("many at once share one connection", async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ssh.run(["echo", String(i)], { signal: never })),
    );
    expect(all.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
  });
});

describe("who we speak to is checked:", () => {
  const refusal = async (more: Parameters<Sshd["options"]>[0] = {}): Promise<SshError> => {
    const other = openSsh(sshd.options(more));
    try {
      return await failureOf(other.connect(never));
    } finally {
      await other.close();
    }
  };

  test("a host whose key nobody knows is refused, with the key's fingerprint to compare", async () => {
    sshd.trust("nothing");
    const failure = await refusal();
    sshd.trust("host");
    expect(failure).toMatchObject({ code: "HOST_KEY_UNKNOWN", fingerprint: sshd.fingerprint() });
    expect(failure.stderr).toContain("strict checking");
  });

  test("a host whose key has changed is refused, and called so", async () => {
    sshd.trust("other");
    const failure = await refusal();
    sshd.trust("host");
    expect(failure).toMatchObject({ code: "HOST_KEY_CHANGED", fingerprint: sshd.fingerprint() });
  });

  test("a key that the host does not want is denied; a port where nobody is, and a name that is none, are away", async () => {
    expect(await refusal({ options: sshd.identity("stranger") })).toMatchObject({ code: "DENIED" });
    expect(await refusal({ port: 1 })).toMatchObject({ code: "AWAY", message: expect.stringContaining("refused") });
    expect(await refusal({ destination: "host.invalid" })).toMatchObject({ code: "AWAY" });
    expect(await refusal({ program: "/nowhere/ssh" })).toMatchObject({ code: "FAILED" });
    expect(() => openSsh(sshd.options({ destination: "-oProxyCommand=id" }))).toThrow("no SSH destination");
  });
});

test("a host that is away is tried ever more rarely, however many calls there are, until it answers", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-ssh-tries-"));
  const program = join(folder, "ssh");
  const tries = join(folder, "tries");
  const isAway = join(folder, "away");
  const script = `#!/bin/sh\necho "$(date +%s%N)" >> ${tries}\n[ ! -e ${isAway} ] || { echo "ssh: connect to host: Connection refused" >&2; exit 255; }\nexec ssh "$@"\n`;
  writeFileSync(program, script, { mode: 0o700 });
  writeFileSync(isAway, "");
  const haste = new Haste();
  const other = openSsh(sshd.options({ program, haste }));
  onTestFinished(async () => {
    await other.close();
    rmSync(folder, { recursive: true, force: true });
  });
  for (let round = 0; round < 3; round += 1) {
    const calls = Array.from({ length: 10 }, () => failureOf(other.connect(never)));
    for (const { code } of await Promise.all(calls)) expect(code).toBe("AWAY");
  }
  const triedAt = (): readonly number[] => readFileSync(tries, "utf8").trim().split("\n").map(Number);
  const times = triedAt();
  const pausesMs = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1e6);
  for (const [index, pauseMs] of pausesMs.entries()) expect(pauseMs).toBeGreaterThan(240 * 2 ** index);
  expect(times.length).toBeLessThanOrEqual(3);
  // Until the pause is longer than what a call waits, so that it is told how it was the last time.
  while (triedAt().length < 5) expect((await failureOf(other.connect(never))).code).toBe("AWAY");
  rmSync(isAway);
  // Somebody asks: it is tried at once, and the first call is answered.
  haste.make();
  expect((await other.run(["true"], { signal: never })).code).toBe(0);
});

describe("ways through the connection:", () => {
  test("to a socket and to a port, for us and for programs that need a port of this machine", async () => {
    const path = join(sshd.directory, "echo.sock");
    const servers = [createServer((socket) => socket.pipe(socket)), createServer((socket) => socket.end("port"))];
    servers[0]?.listen(path);
    servers[1]?.listen(0, "127.0.0.1");
    await Promise.all(servers.map((server) => server.listening || once(server, "listening")));
    const address = servers[1]?.address();
    if (address === null || typeof address !== "object") throw new Error("no address");

    const near = await (await ssh.forward({ socket: path }, never)).connect(never);
    near.end("hello");
    expect(await text(near)).toBe("hello");
    const toPort = await ssh.forward({ host: "127.0.0.1", port: address.port }, never);
    expect(await ssh.forward({ host: "127.0.0.1", port: address.port }, never)).toBe(toPort);
    const port = await toPort.localPort(never);
    const answer = () => fetchText(port);
    expect(await answer()).toBe("port");
    sshd.cut();
    expect(await eventually(answer)).toBe("port");
    expect(await toPort.localPort(never)).toBe(port);
    await toPort.close();
    for (const server of servers) server.close();
  });

  test("a stream to a command and back, and an upload that is whole and has its mode", async () => {
    const stream = await ssh.stream(["cat"], never);
    stream.end("there and back");
    expect(await text(stream)).toBe("there and back");
    const file = join(sshd.directory, "it's here");
    await ssh.upload(Readable.from(["a".repeat(100_000), "b"]), file, "0640", never);
    expect(readFileSync(file, "utf8")).toHaveLength(100_001);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    const failure = await failureOf(ssh.upload("x", "/nowhere/at/all", "600", never));
    expect(failure.message).toContain("/nowhere/at/all");
  });
});

describe("a connection that drops", () => {
  test("fails what was under way as away, and is made again by the next call", async () => {
    const long = failureOf(ssh.run(["sh", "-c", "echo began; sleep 100"], { signal: never, onLine: () => sshd.cut() }));
    expect((await long).code).toBe("AWAY");
    expect((await ssh.run(["echo", "back"], { signal: never })).stdout).toBe("back\n");
  });

  test("leaves no process and no socket after it is closed", async () => {
    const other = openSsh(sshd.options({ controlDirectory: join(sshd.directory, "closed") }));
    await other.forward({ socket: "/nowhere" }, never);
    await other.close();
    expect(readdirSync(join(sshd.directory, "closed"))).toEqual([]);
    await expect(other.run(["true"], { signal: never })).rejects.toThrow("closed");
  });

  test("ends with the process that made it, however that ends", async () => {
    const { spawn } = await import("node:child_process");
    const module = JSON.stringify(new URL("../../../dist/lib/ssh/open-ssh.js", import.meta.url).href);
    if (!existsSync(new URL(JSON.parse(module)))) throw new Error("build first: npx tsc -p tsconfig.build.json");
    const directory = join(sshd.directory, "killed");
    const options = JSON.stringify(sshd.options({ controlDirectory: directory }));
    const script = `import { openSsh } from ${module};
      await openSsh(${options}).connect(new AbortController().signal);
      console.log("connected"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    expect(await eventually(async () => readdirSync(directory).length === 0 && "gone")).toBe("gone");
  });
});

function fetchText(port: number): Promise<string> {
  return import("node:net").then(({ connect }) => text(connect(port, "127.0.0.1")));
}

async function eventually<T>(look: () => Promise<T>): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    const seen = await look().catch(() => null);
    if (seen || performance.now() > until) return seen as T;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
