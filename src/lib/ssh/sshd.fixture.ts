import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "../../testing/ports.ts";
import type { SshOptions } from "./options.ts";

/** The system's sshd on a port of 127.0.0.1, with keys of its own, for the user who runs the tests. */
export class Sshd {
  readonly directory = mkdtempSync(join(tmpdir(), "slipway-sshd-"));
  readonly port: number;
  #server: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
    for (const name of ["host", "other", "client", "stranger"]) {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(this.directory, name)]);
    }
    writeFileSync(this.#file("authorized_keys"), readFileSync(this.#file("client.pub")), { mode: 0o600 });
    this.trust("host");
  }

  static async start(more: readonly string[] = []): Promise<Sshd> {
    const sshd = new Sshd(await freePort());
    await sshd.restart(more);
    return sshd;
  }

  /** Which host key a client believes in. */
  trust(name: "host" | "other" | "nothing"): void {
    const key = name === "nothing" ? "" : `[127.0.0.1]:${this.port} ${readFileSync(this.#file(`${name}.pub`), "utf8")}`;
    writeFileSync(this.#file("known_hosts"), key);
  }

  fingerprint(): string {
    const text = execFileSync("ssh-keygen", ["-l", "-f", this.#file("host.pub")], { encoding: "utf8" });
    return /SHA256:\S+/.exec(text)?.[0] ?? "";
  }

  /** Ends it with all its connections, as a host that is cut off would, and starts it again on the same port. */
  async restart(more: readonly string[] = []): Promise<void> {
    await this.stop();
    mkdirSync("/run/sshd", { recursive: true });
    const settings = [
      `ListenAddress 127.0.0.1:${this.port}`,
      `HostKey ${this.#file("host")}`,
      `AuthorizedKeysFile ${this.#file("authorized_keys")}`,
      "PermitRootLogin prohibit-password",
      "PasswordAuthentication no",
      "UsePAM no",
      "StrictModes no",
      "PidFile none",
      "MaxStartups 100",
      ...more,
    ];
    writeFileSync(this.#file("sshd_config"), `${settings.join("\n")}\n`);
    const args = ["-D", "-f", this.#file("sshd_config"), "-E", this.#file("log")];
    this.#server = spawn("/usr/sbin/sshd", args, { stdio: "ignore", detached: true });
    await this.#listening(this.#server);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server?.pid === undefined || server.exitCode !== null) return;
    const exited = once(server, "exit");
    for (const pid of sessionsOf(server.pid)) kill(pid);
    server.kill("SIGKILL");
    await exited;
  }

  /** Cuts every connection that is there and takes new ones. */
  cut(): void {
    for (const pid of sessionsOf(this.#server?.pid ?? 0)) kill(pid);
  }

  options(more: Partial<SshOptions> = {}): SshOptions {
    return {
      destination: `${userInfo().username}@127.0.0.1`,
      port: this.port,
      controlDirectory: join(this.directory, "control"),
      configFile: "/dev/null",
      options: [
        `IdentityFile=${this.#file("client")}`,
        "IdentitiesOnly=yes",
        `UserKnownHostsFile=${this.#file("known_hosts")}`,
      ],
      ...more,
    };
  }

  identity(name: "client" | "stranger"): readonly string[] {
    return [
      `IdentityFile=${this.#file(name)}`,
      "IdentitiesOnly=yes",
      `UserKnownHostsFile=${this.#file("known_hosts")}`,
    ];
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.directory, name);
  }

  async #listening(server: ChildProcess): Promise<void> {
    for (;;) {
      if (server.exitCode !== null) throw new Error(`sshd ended: ${readFileSync(this.#file("log"), "utf8")}`);
      const socket = connect(this.port, "127.0.0.1");
      const first = await Promise.race([
        once(socket, "connect").then(() => true),
        once(socket, "error").then(() => false),
      ]).catch(() => false);
      socket.destroy();
      if (first) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** sshd has one process a connection, its children. */
function sessionsOf(pid: number): number[] {
  if (pid === 0) return [];
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...children.flatMap(sessionsOf)];
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
