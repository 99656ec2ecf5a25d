import { mkdtempSync, rmSync } from "node:fs";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Audit, type ScriptEvent, troubles, worstOf } from "../../core/server/report.ts";
import { serverScript } from "../../core/server/script.ts";
import { defaultSettings, parseArmoredKey, type ServerSettings } from "../../core/server/settings.ts";
import type { StepId } from "../../core/server/step.ts";
import { openSsh, type Ssh } from "../../lib/ssh/open-ssh.ts";
import { type AptProxy, startAptProxy } from "../../testing/servers/apt-proxy.ts";
import { makeAptRepository } from "../../testing/servers/apt-repository.ts";
import { baseSystem } from "../../testing/servers/base.ts";
import { debianPackage } from "../../testing/servers/deb.ts";
import { type ServerOptions, startServer, type TestServer } from "../../testing/servers/server.ts";
import { auditServer } from "./audit.ts";
import { bootstrapServer, refuseUnlessPossible } from "./bootstrap.ts";
import { runScript } from "./run-script.ts";

const signal = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), "slpsrv-test-"));
let proxy: AptProxy;
let mirror: ServerSettings["edge"];
const servers: TestServer[] = [];
const connections: Ssh[] = [];

beforeAll(async () => {
  const repository = join(directory, "caddy");
  const { armoredKey } = await makeAptRepository(repository, [await debianPackage("sid", "caddy")]);
  proxy = await startAptProxy(new Map([["caddy.test", repository]]));
  mirror = { is: "mirror", url: "http://caddy.test", armoredKey: parseArmoredKey(armoredKey) ?? "" };
  // Side by side: each waits for its packages most of the time.
  await Promise.all([baseSystem("trixie", { stocked: true }), baseSystem("trixie"), baseSystem("bookworm")]);
}, 600_000);

afterEach(async () => {
  proxy.setUp(true);
  for (const ssh of connections.splice(0)) await ssh.close();
  for (const server of servers.splice(0)) await server.stop();
});

afterAll(async () => {
  await proxy?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(options: Omit<ServerOptions, "proxy">): Promise<TestServer> {
  const server = await startServer({ ...options, proxy });
  servers.push(server);
  return server;
}

function login(server: TestServer, options: { readonly user?: string; readonly configFile?: string } = {}): Ssh {
  const ssh = openSsh({
    destination: `${options.user ?? "root"}@${server.address}`,
    controlDirectory: mkdtempSync(join(directory, "ssh-")),
    configFile: options.configFile ?? server.sshConfig,
  });
  connections.push(ssh);
  return ssh;
}

async function bootstrap(
  server: TestServer,
  settings: Partial<ServerSettings> = {},
): Promise<{ readonly audit: Audit; readonly events: readonly ScriptEvent[] }> {
  const events: ScriptEvent[] = [];
  const audit = await bootstrapServer({
    ssh: login(server),
    newLogin: () => login(server),
    settings: { ...defaultSettings, ...settings },
    onEvent: (event) => void events.push(event),
    signal,
  });
  return { audit, events };
}

function check(server: TestServer, settings: Partial<ServerSettings> = {}): Promise<Audit> {
  return auditServer(login(server), { ...defaultSettings, ...settings }, signal);
}

const troubled = (audit: Audit): string[] => troubles(audit).map(({ step, finding }) => `${step}: ${finding.evidence}`);
const stateOf = (audit: Audit, id: StepId): string =>
  worstOf(audit.steps.find((step) => step.id === id)?.findings ?? []);
const words = (audit: Audit, id: StepId): string =>
  (audit.steps.find((step) => step.id === id)?.findings ?? []).map((each) => each.evidence).join("; ");

/** Content and time of every file that a bootstrap could write, and of the tables of the kernel's filter. */
function fingerprint(server: TestServer): Promise<string> {
  return server.sh(
    "find /etc /usr /home /root /var/lib/slipway /var/lib/dpkg/status -xdev -type f -printf '%p %T@ %s %m %u\\n' | sort; nft --stateless list ruleset",
  );
}

async function answerOf(address: string): Promise<string> {
  return fetch(`http://${address}/`, { signal: AbortSignal.timeout(3_000) }).then(
    (answer) => answer.text(),
    () => "",
  );
}

const minutes = 60_000;

describe("a bootstrap of a fresh server", () => {
  it.each(["bookworm", "trixie"] as const)(
    "makes %s ready, and a second one changes nothing",
    async (release) => {
      const server = await start({ release });
      const fresh = await check(server, { edge: mirror });
      expect(["engine", "edge", "user", "firewall", "updates"].map((id) => stateOf(fresh, id as StepId))).toEqual(
        Array(5).fill("missing"),
      );
      const before = await fingerprint(server).catch(() => "no nft yet");

      const { audit } = await bootstrap(server, { edge: mirror, open: [{ port: 5432, protocol: "tcp" }] });
      expect(troubled(audit)).toEqual([]);
      expect(before).toContain("no nft");

      // The deploy user may use the engine by its own login, and nothing else.
      const deploy = login(server, { user: "deploy" });
      const engine = await deploy.run(["docker", "version", "--format", "{{.Server.Version}}"], { signal });
      expect(engine.stdout).toMatch(/^2[06]\./);
      expect((await deploy.run(["sudo", "-n", "true"], { signal })).code).not.toBe(0);
      expect(await server.sh("caddy version")).toMatch(/^v?2\.(?:8|9|\d\d)/);
      expect(
        await server.sh("sshd -T | grep -E '^(passwordauthentication|kbdinteractiveauthentication)'"),
      ).not.toContain("yes");

      // Caddy starts by itself when the deploy user writes its configuration, on port 80 without being root.
      const site = {
        listen: [":80"],
        routes: [{ handle: [{ handler: "static_response", body: "hello from caddy" }] }],
      };
      await deploy.upload(
        JSON.stringify({
          admin: { listen: "unix//var/lib/slipway/edge/admin.sock" },
          apps: { http: { servers: { site } } },
        }),
        "/var/lib/slipway/edge/caddy.json",
        "600",
        signal,
      );
      await expect.poll(() => answerOf(server.address), { timeout: 60_000 }).toBe("hello from caddy");

      // Nothing is said again, and the port that was opened before stays open.
      const done = await fingerprint(server);
      const again = await bootstrap(server, {});
      expect(again.events.filter((event) => event.is === "begin")).toEqual([]);
      expect(troubled(again.audit)).toEqual([]);
      expect(words(again.audit, "firewall")).toContain("5432");
      expect(await fingerprint(server)).toBe(done);
    },
    5 * minutes,
  );

  it(
    "makes Ubuntu ready, beside a firewall of its own that is in force",
    async () => {
      const server = await start({ release: "noble", stocked: true });
      await server.sh("ufw allow 22/tcp && ufw --force enable");
      const { audit } = await bootstrap(server, { edge: { is: "none" } });
      expect(troubled(audit)).toEqual([]);
      expect(words(audit, "firewall")).toContain("ufw lets in: 22, 80, 443");
      expect(await server.sh("ufw status")).toMatch(/^443\/tcp +ALLOW/m);
      expect(await server.sh("nft list table inet slipway")).not.toContain("chain input");
      const done = await fingerprint(server);
      await bootstrap(server, {});
      expect(await fingerprint(server)).toBe(done);
    },
    5 * minutes,
  );

  it(
    "is the same by hand: the script shows what is missing, asks, and finds the server ready the next time",
    async () => {
      const server = await start({ release: "trixie", stocked: true });
      const text = serverScript({ ...defaultSettings, edge: { is: "none" } });
      expect(await server.exec(["sh", "-c", "cat >/root/init-server.sh"], text)).toMatchObject({ code: 0 });
      const byHand = (answers: string) => server.exec(["sh", "/root/init-server.sh"], answers);
      // Its engine starts as it boots, and makes rules of the kernel's filter meanwhile: this waits until it has.
      await server.sh("systemctl start docker");
      const before = await fingerprint(server);
      const no = await byHand("n\n");
      expect([no.code, no.stdout]).toEqual([
        1,
        expect.stringMatching(/MISSING[\s\S]*\nChange what is MISSING\? \[y\/N\] $/),
      ]);
      expect(await fingerprint(server)).toBe(before);

      const yes = await byHand("y\ny\n");
      expect([yes.code, yes.stdout]).toEqual([
        0,
        expect.stringContaining("Log in from another terminal. Does that work?"),
      ]);
      expect(troubled(await check(server, { edge: { is: "none" } }))).toEqual([]);
      expect((await login(server, { user: "deploy" }).run(["docker", "version"], { signal })).code).toBe(0);

      const done = await fingerprint(server);
      expect(await byHand("")).toMatchObject({ code: 0, stdout: expect.stringContaining("This server is ready.") });
      expect(await fingerprint(server)).toBe(done);
    },
    5 * minutes,
  );

  it(
    "that was killed in the middle is finished by the next",
    async () => {
      const server = await start({ release: "bookworm" });
      const ssh = login(server);
      // Everything that runs there is killed in the midst of the work of dpkg, which leaves packages half installed.
      const killed = new Promise<void>((resolve, reject) => {
        runScript(ssh, serverScript({ ...defaultSettings, edge: { is: "none" } }), "apply", {
          signal,
          onEvent: (event) => {
            if (event.is !== "log" || event.step !== "engine" || !/^Unpacking docker\.io/.test(event.line)) return;
            // One that ends by itself just then is as dead as the others. The bracket keeps pkill from its own shell.
            server
              .sh("pkill -9 -f '[s]h -s -- --porcelain'; pkill -9 -x dpkg; pkill -9 -x apt-get; exit 0")
              .catch(reject);
          },
        }).then(
          () => resolve(),
          () => resolve(),
        );
      });
      await killed;
      const half = await check(server, { edge: { is: "none" } });
      expect(stateOf(half, "packages")).toBe("missing");
      expect(stateOf(half, "engine")).toBe("missing");
      const { audit } = await bootstrap(server, { edge: { is: "none" } });
      expect(troubled(audit)).toEqual([]);
    },
    5 * minutes,
  );

  it(
    "keeps rules and settings that are not ours",
    async () => {
      const foreignSsh = "# mine\nClientAliveInterval 77\nPasswordAuthentication yes\nMaxAuthTries 9\n";
      const server = await start({
        release: "trixie",
        stocked: true,
        prepare: async (root) => {
          await writeFile(join(root, "etc/ssh/sshd_config.d/50-cloud-init.conf"), foreignSsh);
          await mkdir(join(root, "etc/docker"), { recursive: true });
          await writeFile(join(root, "etc/docker/daemon.json"), '{ "labels": ["mine=1"] }\n');
          await mkdir(join(root, "home/deploy/.ssh"), { recursive: true });
        },
      });
      await server.sh(
        "useradd --home-dir /home/deploy --shell /bin/bash deploy && chown -R deploy: /home/deploy && chmod 700 /home/deploy/.ssh",
      );
      const foreignKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEwv4n6c9sSvIhvs0X0VbGo7kTPmS0c3wEeHd0rQm1x somebody";
      await server.exec(
        ["sh", "-c", "cat >/home/deploy/.ssh/authorized_keys && chown deploy: /home/deploy/.ssh/authorized_keys"],
        `${foreignKey}\n`,
      );
      const foreignRules =
        'table inet mine {\nchain input {\ntype filter hook input priority 10; policy accept;\ntcp dport 9999 accept comment "mine"\n}\n}\n';
      expect(await server.exec(["nft", "-f", "-"], foreignRules)).toMatchObject({ code: 0 });
      await writeFile(
        join(server.root, "etc/nftables.conf"),
        "#!/usr/sbin/nft -f\nflush ruleset\ntable inet kept { }\n",
      );

      const { audit } = await bootstrap(server, { edge: { is: "none" } });
      expect(troubled(audit)).toEqual([]);
      expect(words(audit, "logs")).toContain("not ours");
      expect(await readFile(join(server.root, "etc/ssh/sshd_config.d/50-cloud-init.conf"), "utf8")).toBe(foreignSsh);
      expect(await readFile(join(server.root, "etc/docker/daemon.json"), "utf8")).toContain("mine=1");
      expect(await readFile(join(server.root, "etc/nftables.conf"), "utf8")).toContain("table inet kept");
      expect(await server.sh("nft list table inet mine")).toContain('comment "mine"');
      expect(await server.sh("cat /home/deploy/.ssh/authorized_keys")).toContain(foreignKey);
      const effective = await server.sh("sshd -T");
      expect(effective).toContain("clientaliveinterval 77");
      expect(effective).toContain("maxauthtries 9");
      expect(effective).toContain("passwordauthentication no");
      // Debian's own unit flushes every table when it starts; ours comes back after it.
      await server.sh("systemctl restart nftables");
      expect(await server.sh("nft list tables")).toContain("inet slipway");
    },
    5 * minutes,
  );
});

describe("the way in", () => {
  it(
    "is given back by the server itself when no new login confirms the change",
    async () => {
      const server = await start({ release: "trixie", stocked: true });
      const script = serverScript({ ...defaultSettings, edge: { is: "none" }, undoAfterS: 5 });
      const applied = await runScript(login(server), script, "apply", { signal });
      expect(applied.code).toBe(0);
      await server.sh(
        "while [ -e /run/slipway-bootstrap/undo-firewall ] || [ -e /run/slipway-bootstrap/undo-ssh ]; do sleep 0.2; done",
      );
      expect(await server.sh("nft list tables")).not.toContain("slipway");
      expect((await server.exec(["test", "-e", "/etc/ssh/sshd_config.d/10-slipway.conf"])).code).toBe(1);
      const late = await runScript(login(server), script, "confirm", { signal });
      expect(late.code).toBe(1);
      const audit = await check(server);
      expect([stateOf(audit, "ssh"), stateOf(audit, "firewall")]).toEqual(["missing", "missing"]);
    },
    5 * minutes,
  );

  it(
    "stays open on another port, and ports that containers publish are closed",
    async () => {
      const server = await start({
        release: "trixie",
        stocked: true,
        prepare: (root) => appendFile(join(root, "etc/ssh/sshd_config"), "Port 22\nPort 2222\n"),
      });
      // An image of this machine's own perl, as nothing can be pulled here.
      await server.sh(
        "tar -ch /usr/bin/perl /usr/lib/x86_64-linux-gnu/perl-base /lib64 /lib/x86_64-linux-gnu/lib[cmd]*.so.* 2>/dev/null | docker import - perl",
      );
      const program =
        'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1); while (my $c = $s->accept) { print $c "HTTP/1.0 200 OK\\r\\n\\r\\npublished"; close $c }';
      for (const port of ["8080", "8081"]) {
        expect(
          await server.exec(["docker", "run", "-d", "-p", `${port}:80`, "perl", "/usr/bin/perl", "-e", program]),
        ).toMatchObject({ code: 0 });
      }
      await expect.poll(() => answerOf(`${server.address}:8080`), { timeout: 60_000 }).toBe("published");
      expect(words(await check(server, { edge: { is: "none" } }), "firewall")).toMatch(/will not: .*8080\/tcp/);

      const { audit } = await bootstrap(server, {
        edge: { is: "none" },
        open: [{ port: 8081, protocol: "tcp" }],
        trust: ["10.77.0.0/16"],
      });
      expect(troubled(audit)).toEqual([]);
      expect(await answerOf(`${server.address}:8081`)).toBe("published");
      expect(await answerOf(`${server.address}:8080`)).toBe("");
      // From the host itself, as the edge reaches it.
      expect(
        await server.sh(
          "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(q(127.0.0.1:8080)) or die; print <$s>'",
        ),
      ).toContain("published");
      const rules = await server.sh("nft list table inet slipway");
      expect(rules).toContain("22, 80, 443, 2222, 8081");
      expect(rules).toContain("10.77.0.0/16");
    },
    5 * minutes,
  );
});

describe("a bootstrap is refused, and changes nothing,", () => {
  const refusal = async (server: TestServer, settings: Partial<ServerSettings> = {}): Promise<unknown> => {
    const audit = await check(server, settings);
    try {
      refuseUnlessPossible(audit, "it");
    } catch (error) {
      // By the server too, whoever asks it.
      await expect(bootstrap(server, settings)).rejects.toMatchObject({ code: "SERVER_REFUSED" });
      return error;
    }
    return null;
  };

  it(
    "where no key would be left",
    async () => {
      const server = await start({ release: "trixie" });
      const ssh = login(server);
      await ssh.connect(signal);
      await server.sh("rm /root/.ssh/authorized_keys && echo 'PermitRootLogin yes' >>/etc/ssh/sshd_config");
      const audit = await auditServer(ssh, { ...defaultSettings, edge: { is: "none" } }, signal);
      expect(() => refuseUnlessPossible(audit, "it")).toThrow(/cannot be made ready/);
      expect(words(audit, "ssh")).toContain("no key would be left for root");
      const run = await runScript(ssh, serverScript({ ...defaultSettings, edge: { is: "none" } }), "apply", { signal });
      expect(run.code).toBe(2);
      expect((await server.exec(["test", "-e", "/etc/slipway"])).code).toBe(1);
    },
    minutes,
  );

  it(
    "where it is not Debian, where the disk is full, and where Caddy is too old and nobody chose",
    async () => {
      const server = await start({ release: "trixie", diskBytes: 700_000_000 });
      await server.sh(
        "rm /etc/os-release && printf 'ID=fedora\\nVERSION_ID=43\\nPRETTY_NAME=\"Fedora Linux 43\"\\n' >/etc/os-release",
      );
      const error = await refusal(server);
      expect(error).toMatchObject({ code: "SERVER_REFUSED", exitCode: 2 });
      const seen = JSON.stringify(error);
      expect(seen).toContain("Fedora Linux 43 is neither Debian nor Ubuntu");
      expect(seen).toMatch(/only \d+ MB free on \//);
      expect(seen).toContain("2.6.2");
      expect((await server.exec(["test", "-e", "/etc/slipway"])).code).toBe(1);
    },
    minutes,
  );

  it(
    "where the host's key is another than the one that is known",
    async () => {
      const server = await start({ release: "trixie" });
      const other = join(directory, "other_known_hosts");
      await writeFile(other, `${server.address} ${server.publicKey.split(" ").slice(0, 2).join(" ")}\n`);
      const config = join(directory, "other_config");
      await writeFile(
        config,
        (await readFile(server.sshConfig, "utf8")).replace(/UserKnownHostsFile .*/, `UserKnownHostsFile ${other}`),
      );
      await expect(auditServer(login(server, { configFile: config }), defaultSettings, signal)).rejects.toMatchObject({
        code: "HOST_KEY_UNKNOWN",
      });
    },
    minutes,
  );
});

describe("a bootstrap tells what failed:", () => {
  it(
    "a mirror that is away",
    async () => {
      const server = await start({ release: "trixie" });
      proxy.setUp(false);
      await expect(bootstrap(server, { edge: { is: "none" } })).rejects.toMatchObject({
        code: "SERVER_STEP_FAILED",
        message: expect.stringContaining("engine"),
      });
      // What needs no packages is done all the same, and the new login has confirmed it.
      const audit = await check(server, { edge: { is: "none" } });
      expect([stateOf(audit, "user"), stateOf(audit, "ssh")]).toEqual(["ok", "ok"]);
      expect(stateOf(audit, "firewall")).toBe("missing");
    },
    5 * minutes,
  );

  it(
    "a repository that is signed by another key",
    async () => {
      const server = await start({ release: "trixie", stocked: true });
      const stranger = await makeAptRepository(join(directory, `stranger-${server.address}`), [
        await debianPackage("sid", "caddy"),
      ]);
      const edge = { is: "mirror", url: "http://caddy.test", armoredKey: stranger.armoredKey } as const;
      await expect(bootstrap(server, { edge })).rejects.toMatchObject({
        code: "SERVER_STEP_FAILED",
        message: expect.stringContaining("edge"),
      });
      expect((await server.exec(["sh", "-c", "command -v caddy"])).code).not.toBe(0);
    },
    5 * minutes,
  );

  it(
    "no systemd: what has to start at boot cannot be arranged, and is said",
    async () => {
      const server = await start({ release: "trixie", stocked: true, systemd: false });
      const { audit } = await bootstrap(server, { edge: { is: "none" } });
      expect(words(audit, "system")).toContain("systemd does not run here");
      expect([stateOf(audit, "engine"), stateOf(audit, "updates"), stateOf(audit, "firewall")]).toEqual(
        Array(3).fill("blocked"),
      );
      expect(await server.sh("nft list tables")).toContain("inet slipway");
      expect(await server.sh("sshd -T")).toContain("passwordauthentication no");
    },
    5 * minutes,
  );
});
