import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { parseServerAddress, type ServerAddress } from "../../core/server/address.ts";
import { troubles, worstOf } from "../../core/server/report.ts";
import { serverScript } from "../../core/server/script.ts";
import { auditServer } from "../../engine/server/audit.ts";
import { bootstrapServer, refuseUnlessPossible } from "../../engine/server/bootstrap.ts";
import { lookFromOutside } from "../../engine/server/outside.ts";
import { openSsh, type Ssh } from "../../lib/ssh/open-ssh.ts";
import { output } from "../output.ts";
import { defaultScriptFile, writeScript } from "../server/script-file.ts";
import { type ServerOptions, settingsOf } from "../server/settings.ts";
import { auditLines, eventLines, outsideLines, planLines } from "../server/words.ts";
import type { GlobalOptions } from "../session.ts";
import { confirm } from "../terminal/confirm.ts";
import { sign, style } from "../terminal/style.ts";

type CheckOptions = GlobalOptions & ServerOptions & { readonly domain?: readonly string[] };

type BootstrapOptions = GlobalOptions &
  ServerOptions & {
    readonly dryRun?: boolean;
    readonly yes?: boolean;
    readonly scriptOnly?: boolean;
    /** False with --no-script. */
    readonly script?: string | false;
  };

/** Audits a server against the list that `bootstrap` makes true. Changes nothing. Exit 1 when something is not as it should be. */
export async function checkServer(host: string, options: CheckOptions): Promise<number> {
  const out = output(options);
  const address = addressOf(host);
  const domains = (options.domain ?? []).map(domainOf);
  const settings = settingsOf(options);
  return withHost(address, options, async (open, signal) => {
    const ssh = open();
    const audit = await auditServer(ssh, settings, signal);
    const outside = await lookFromOutside({ address, domains, ssh, now: Date.now, signal });
    const bad = [...troubles(audit).map((each) => each.finding), ...outside.filter((each) => each.is === "blocked")];
    out.json({ host: ssh.destination, ready: bad.length === 0, steps: audit.steps, outside });
    for (const line of auditLines(audit)) out.line(line);
    for (const line of outsideLines(outside)) out.line(line);
    out.line();
    out.line(
      bad.length === 0
        ? `${style.good(sign.done)} ${ssh.destination} is ready`
        : `${style.bad(sign.failed)} ${bad.length} things are not as they should be${
            worstOf(troubles(audit).map((each) => each.finding)) === "missing"
              ? `; to change them: slipway server bootstrap ${host}`
              : ""
          }`,
    );
    return bad.length === 0 ? 0 : 1;
  });
}

/** Makes a server ready: plan, question, change, new login, audit, and the script that did it. Safe to repeat. */
export async function bootstrap(host: string | undefined, options: BootstrapOptions): Promise<number> {
  const out = output(options);
  const settings = settingsOf(options);
  if (options.scriptOnly === true) {
    process.stdout.write(serverScript(settings));
    return 0;
  }
  const address = addressOf(host ?? "");
  return withHost(address, options, async (open, signal) => {
    const ssh = open();
    const before = await auditServer(ssh, settings, signal);
    out.line(`${style.name(ssh.destination)}  ${style.quiet("what is, and what will be changed")}`);
    for (const line of planLines(before)) out.line(line);
    refuseUnlessPossible(before, ssh.destination);
    if (options.dryRun === true) {
      out.json({ host: ssh.destination, dryRun: true, steps: before.steps });
      return 0;
    }
    const missing = troubles(before).filter(({ finding }) => finding.is === "missing");
    if (missing.length > 0) await askFor(ssh.destination, options);
    const after =
      missing.length === 0
        ? before
        : await bootstrapServer({
            ssh,
            newLogin: open,
            settings,
            signal,
            onEvent: (event) => {
              for (const line of eventLines(event)) out.line(line);
            },
          });
    const script = options.script === false ? null : (options.script ?? defaultScriptFile);
    if (script !== null) writeScript(script, serverScript(settings));
    return report(ssh, { after, changed: missing.length > 0, script }, options);
  });
}

function report(
  ssh: Ssh,
  done: {
    readonly after: Awaited<ReturnType<typeof auditServer>>;
    readonly changed: boolean;
    readonly script: string | null;
  },
  options: BootstrapOptions,
): number {
  const out = output(options);
  const left = troubles(done.after);
  out.json({
    host: ssh.destination,
    ready: left.length === 0,
    changed: done.changed,
    script: done.script,
    steps: done.after.steps,
  });
  if (done.changed) {
    out.line();
    for (const line of auditLines(done.after)) out.line(line);
  }
  out.line();
  if (done.script !== null) out.line(style.quiet(`the steps as a script: ${done.script}`));
  out.line(
    left.length > 0
      ? `${style.bad(sign.failed)} ${left.length} things are still not as they should be; see their hints above`
      : `${style.good(sign.done)} ${ssh.destination} is ready${done.changed ? "" : "; nothing had to be changed"}`,
  );
  return left.length === 0 ? 0 : 1;
}

async function askFor(destination: string, options: BootstrapOptions): Promise<void> {
  if (options.yes === true) return;
  if (options.json === true || process.stdin.isTTY !== true) {
    throw new SlipwayError("USAGE", {
      message: "nobody is there to be asked; nothing was changed",
      hint: "pass --yes to change it, or --dry-run to see only",
    });
  }
  if (!(await confirm(`Change ${destination} so?`))) {
    throw new SlipwayError("CANCELLED", { message: "nothing was changed", hint: "run it again when you are sure" });
  }
}

/** Connections to one host, each a login of its own; all are closed at the end, also by Ctrl-C. */
async function withHost(
  address: ServerAddress,
  options: ServerOptions,
  use: (open: () => Ssh, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "slipway-server-"));
  const opened: Ssh[] = [];
  const stop = new AbortController();
  const interrupt = (): void =>
    stop.abort(
      new SlipwayError("INTERRUPTED", {
        message: "interrupted; the step under way is finished on the server",
        hint: "run it again: what is done is not done twice",
      }),
    );
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, interrupt);
  try {
    return await use(() => {
      const ssh = openSsh({
        destination: address.destination,
        port: address.port,
        controlDirectory: join(directory, String(opened.length)),
        configFile: options.sshConfig ?? process.env.SLIPWAY_SSH_CONFIG ?? null,
      });
      opened.push(ssh);
      return ssh;
    }, stop.signal);
  } finally {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, interrupt);
    await Promise.all(opened.map((ssh) => ssh.close()));
    rmSync(directory, { recursive: true, force: true });
  }
}

function addressOf(text: string): ServerAddress {
  const address = parseServerAddress(text);
  if (address !== null) return address;
  throw new SlipwayError("USAGE", {
    message: `${JSON.stringify(text)} is not a server`,
    hint: "name it like: ssh://root@203.0.113.7, root@host, or a host of your ~/.ssh/config",
  });
}

function domainOf(text: string): string {
  if (/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/.test(text))
    return text;
  throw new SlipwayError("USAGE", {
    message: `${JSON.stringify(text)} is not a domain`,
    hint: "like: app.example.com",
  });
}
