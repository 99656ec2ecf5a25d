import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startEngine, type TestEngine } from "./engine.ts";
import { engineRequest } from "./engine-request.ts";
import { startHosts, type TestHosts } from "./hosts.ts";
import { sampleImage } from "./sample-image.ts";

const exec = promisify(execFile);

describe.each([{ version: "20.10" }, { version: "newest" }, { version: "newest", containerdStore: true }] as const)(
  "an engine of its own: $version, containerd store $containerdStore",
  (options) => {
    let engine: TestEngine;
    beforeAll(async () => {
      engine = await startEngine(options);
    });
    afterAll(() => engine.down());

    it("is the version that was asked for", async () => {
      const { Version } = JSON.parse(await engineRequest(engine, "GET", "/version")) as { Version: string };
      expect(Version.startsWith("20.10")).toBe(options.version === "20.10");
    });

    it("runs the sample service, which is reached by its published port and finds others by name", async () => {
      const { name } = await sampleImage(engine, { version: "v1" });
      const docker = (...args: string[]) => exec("docker", ["--host", engine.url, ...args], { timeout: 60_000 });
      await docker("network", "create", "near");
      await docker("run", "--detach", "--name", "web", "--network", "near", "--publish", "127.0.0.1::3000", name);
      const ask = `fetch("http://web:3000/", { signal: AbortSignal.timeout(5_000) }).then((answer) => answer.text()).then(console.log)`;
      const asked = await docker("run", "--rm", "--network", "near", name, "node", "-e", ask);
      expect(asked.stdout.trim()).toBe("v1");
      const port = (await docker("port", "web", "3000")).stdout.trim();
      expect(await (await fetch(`http://${port}/`)).text()).toBe("v1\n");
    });

    it("is restarted, and after a crash too", async () => {
      await engine.restartEngine("stop");
      await engine.restartEngine("kill");
      expect(await engineRequest(engine, "GET", "/_ping")).toBe("OK");
    });
  },
);

describe("hosts", () => {
  let hosts: TestHosts;
  beforeAll(async () => {
    hosts = await startHosts(2, { diskBytes: 256 * 1024 ** 2 });
  });
  afterAll(() => hosts.down());
  const [first, second] = [0, 1].map((index) => () => hosts.hosts[index] as TestHosts["hosts"][number]) as [
    () => TestHosts["hosts"][number],
    () => TestHosts["hosts"][number],
  ];
  const ssh = async (host: TestHosts["hosts"][number], ...command: string[]): Promise<string> => {
    const options = ["-F", host.sshConfig, "-o", "BatchMode=yes", "-o", "ConnectTimeout=2"];
    return (await exec("ssh", [...options, host.name, ...command], { timeout: 60_000 })).stdout.trim();
  };

  it("are reached by ssh with their own names, engines and files", async () => {
    await second().run(["sh", "-c", "echo mine > /etc/only-here"]);
    expect(
      await ssh(first(), "hostname; docker version --format '{{.Server.Version}}'; ls /etc/only-here || true"),
    ).toMatch(/^h1\n20\.10\.\d+\S*$/);
    expect(existsSync("/etc/only-here")).toBe(false);
  });

  it("see each other by name", async () => {
    expect(await ssh(first(), "busybox nc -w 2 h2 22 < /dev/null | head -c 4")).toBe("SSH-");
  });

  it("are away while cut off or frozen, and back after", async () => {
    await first().cut();
    await expect(ssh(first(), "true")).rejects.toThrow(/timed out/i);
    await first().mend();
    await first().freeze();
    await expect(ssh(first(), "true")).rejects.toThrow();
    await first().thaw();
    expect(await ssh(first(), "hostname")).toBe("h1");
  });

  it("come back after a power failure with the engine's data, at the same address", async () => {
    await first().run(["docker", "volume", "create", "kept"]);
    await first().crash();
    await expect(ssh(first(), "true")).rejects.toThrow();
    await first().boot();
    expect(await ssh(first(), "hostname")).toBe("h1");
  });

  it("have disks that fill up", async () => {
    await second().fillDisk(4_096);
    await expect(sampleImage(second(), { version: "v1" })).rejects.toThrow(/no space left/);
    await second().freeDisk();
    await expect(sampleImage(second(), { version: "v1" })).resolves.toMatchObject({ name: "slipway-test/web:v1" });
  });
});

it("nothing is left of a host whose test was killed, once the next one begins", async () => {
  const program = `
    import { createJiti } from "jiti";
    const jiti = createJiti(process.cwd() + "/");
    const { startHosts } = await jiti.import(${JSON.stringify(fileURLToPath(new URL("./hosts.ts", import.meta.url)))});
    const hosts = await startHosts(1);
    console.log(hosts.hosts[0].socket);
    setInterval(() => {}, 1000);`;
  const child = execFile(process.execPath, ["--input-type=module", "--eval", program]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const socket = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (text: string) => resolve(text.trim()));
    child.stderr?.on("data", (text: string) => reject(new Error(text)));
  });
  const slot = /slipway-hosts\/(\d+)\//.exec(socket)?.[1];
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await closed;
  const next = await startEngine();
  await next.down();
  expect(existsSync(socket)).toBe(false);
  const groups = await readdir("/sys/fs/cgroup", { recursive: false });
  expect(groups.flatMap((each) => (existsSync(`/sys/fs/cgroup/${each}/slipway-hosts-${slot}`) ? [each] : []))).toEqual(
    [],
  );
  expect((await exec("ip", ["-brief", "link"])).stdout).not.toMatch(new RegExp(`^sw${slot}[@ ]`, "m"));
});
