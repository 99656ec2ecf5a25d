import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./parts.ts";

/** Files with which one goes to the machines of a test, and nothing of the person's own. */
export type SshAccess = {
  /** For `ssh -F`: every machine by its name and by its address. */
  readonly sshConfig: string;
  readonly knownHosts: string;
  readonly identityFile: string;
};

type Machine = { readonly name: string; readonly address: string };

/** Makes one key for the person and one for each machine, the client's files, and in `etc/<name>` what a machine's sshd reads. */
export async function makeSshAccess(directory: string, machines: readonly Machine[]): Promise<SshAccess> {
  const identityFile = join(directory, "id_ed25519");
  await makeKey(identityFile, "person");
  const lines: string[] = [];
  for (const { name, address } of machines) {
    const etc = join(directory, "etc", name);
    await mkdir(etc, { recursive: true });
    const hostKey = join(etc, "ssh_host_ed25519_key");
    await makeKey(hostKey, name);
    lines.push(`${name},${address} ${(await readFile(`${hostKey}.pub`, "utf8")).split(" ").slice(0, 2).join(" ")}`);
    await cp(`${identityFile}.pub`, join(etc, "authorized_keys"));
    await writeFile(join(etc, "sshd_config"), serverConfig);
  }
  const knownHosts = join(directory, "known_hosts");
  await writeFile(knownHosts, `${lines.join("\n")}\n`);
  const sshConfig = join(directory, "ssh_config");
  await writeFile(sshConfig, clientConfig(machines, { knownHosts, identityFile }), { mode: 0o600 });
  return { sshConfig, knownHosts, identityFile };
}

async function makeKey(file: string, comment: string): Promise<void> {
  await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file]);
}

const serverConfig = `
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
`;

function clientConfig(
  machines: readonly Machine[],
  files: { readonly knownHosts: string; readonly identityFile: string },
): string {
  const hosts = machines.map(({ name, address }) => `Host ${name}\n  HostName ${address}\n`).join("");
  return `${hosts}Host *
  User root
  Port 22
  IdentityFile ${files.identityFile}
  IdentitiesOnly yes
  UserKnownHostsFile ${files.knownHosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
`;
}
