import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AptProxy, startAptProxy } from "../../testing/servers/apt-proxy.ts";
import { startServer, type TestServer } from "../../testing/servers/server.ts";

const program = fileURLToPath(new URL("../../../bin/slipway.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "slpsrv-cli-"));
let proxy: AptProxy;
let server: TestServer;

beforeAll(async () => {
  proxy = await startAptProxy();
  server = await startServer({ release: "trixie", stocked: true, proxy });
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await proxy?.close();
  rmSync(directory, { recursive: true, force: true });
});

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** The program itself, as a person without a terminal runs it. */
function slipway(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "server", ...args], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const url = (): string => `ssh://root@${server.address}`;
const script = join(directory, "init-server.sh");

describe("slipway server", () => {
  it("check says what is not as it should be, and exits 1", async () => {
    const { code, stdout } = await slipway("check", url(), "--ssh-config", server.sshConfig);
    expect(code).toBe(1);
    expect(stdout).toContain("there is no user deploy");
    expect(stdout).toContain("From here: clock");
    expect(stdout).toMatch(/\d+ things are not as they should be/);
  }, 120_000);

  it("bootstrap without a choice of Caddy is refused; a dry run and a run without an answer change nothing", async () => {
    const refused = await slipway("bootstrap", url(), "--ssh-config", server.sshConfig, "--yes");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("SERVER_REFUSED")]);
    expect(refused.stderr).toContain("--caddy official");
    const dry = await slipway("bootstrap", url(), "--ssh-config", server.sshConfig, "--caddy", "none", "--dry-run");
    expect([dry.code, dry.stdout]).toEqual([
      0,
      expect.stringContaining("nothing keeps the world out; open will be: 22, 80, 443"),
    ]);
    expect(dry.stdout).toContain("Passwords are guessed day and night");
    const silent = await slipway("bootstrap", url(), "--ssh-config", server.sshConfig, "--caddy", "none");
    expect([silent.code, silent.stderr]).toEqual([2, expect.stringContaining("pass --yes")]);
    expect((await server.exec(["test", "-e", "/etc/slipway"])).code).toBe(1);
    expect(existsSync(script)).toBe(false);
  }, 180_000);

  it("bootstrap makes it ready, leaves the script, and check agrees", async () => {
    const done = await slipway("bootstrap", url(), "--ssh-config", server.sshConfig, "--caddy", "none", "--yes");
    expect([done.code, done.stderr]).toEqual([0, ""]);
    expect(done.stdout).toContain(`root@${server.address} is ready`);
    const printed = await slipway("bootstrap", "--script-only", "--caddy", "none");
    expect(readFileSync(script, "utf8")).toBe(printed.stdout);

    const checked = await slipway("check", url(), "--ssh-config", server.sshConfig, "--json");
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ ready: true, host: `root@${server.address}` });
    const again = await slipway("bootstrap", url(), "--ssh-config", server.sshConfig, "--yes", "--script", "other.sh");
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("nothing had to be changed")]);

    // The same by hand, on the machine itself.
    const byHand = await server.exec(["sh", "-s", "--", "check"], printed.stdout);
    expect([byHand.code, byHand.stdout]).toEqual([0, expect.stringMatching(/^ok +ssh +keys only/m)]);
  }, 180_000);

  it("a file that is not ours is not written over", async () => {
    writeFileSync(join(directory, "mine.sh"), "echo mine\n");
    const { code, stderr } = await slipway(
      "bootstrap",
      url(),
      "--ssh-config",
      server.sshConfig,
      "--yes",
      "--script",
      "mine.sh",
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining("not one of ours")]);
    expect(readFileSync(join(directory, "mine.sh"), "utf8")).toBe("echo mine\n");
  }, 120_000);

  it.each([
    [["check", "http://host"], "is not a server"],
    [["check", "-oProxyCommand=x"], "has no option -oProxyCommand"],
    [["bootstrap", "--script-only", "--open", "22/sctp"], "--open"],
    [["bootstrap", "--script-only", "--trust", "0.0.0.0/0"], "not everything"],
    [["bootstrap", "--script-only", "--user", "root"], "--user"],
    [["bootstrap", "--script-only", "--key", "/etc/passwd"], "not a file of public keys"],
    [["bootstrap", "--script-only", "--caddy-mirror", "https://x"], "--caddy-key"],
  ])(
    "%j is a usage error",
    async (args, words) => {
      const { code, stderr } = await slipway(...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    },
    60_000,
  );
});
