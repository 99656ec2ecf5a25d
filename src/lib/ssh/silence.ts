import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { sshChild } from "./child.ts";
import { type SshOptions, sshArguments } from "./options.ts";

/** How long the far end has to answer, and how often it is asked. */
const askEveryMs = 2_000;
/** Long enough for a first packet that was lost: the kernel sends it again after a second (RFC 6298). */
const reachableWithinMs = 2_500;
const resolveLimitMs = 5_000;

export type Listening = {
  /** Sends what the far end sends back. */
  readonly ask: () => void;
  /** How many answers have come so far. */
  readonly answers: () => number;
  /** Whether the host takes new connections; null when that cannot be told. */
  readonly isReachable: () => Promise<boolean | null>;
  readonly everyMs?: number;
};

/**
 * Resolves when a connection is dead: its far end does not answer, and the host takes no new connection either. Both, because each
 * alone is a false alarm: a busy machine answers late, and a firewall may refuse the newcomer. Its kernel takes connections however
 * busy its programs are. So a cut cable is noticed after 2 to 7 s, and what is only slow is left to ssh's own, patient limit.
 */
export async function untilSilent(listening: Listening, signal: AbortSignal): Promise<void> {
  const { ask, answers, isReachable, everyMs = askEveryMs } = listening;
  for (;;) {
    const before = answers();
    ask();
    await sleep(everyMs, null, { signal, ref: false });
    if (answers() > before) continue;
    if ((await isReachable()) === false && answers() === before) return;
    signal.throwIfAborted();
  }
}

/** Asks the host's port as ssh would; null where the way there is ssh's own secret: a jump host, a proxy command, an unknown name. */
export async function takesConnections(options: SshOptions): Promise<boolean | null> {
  const at = await addressOf(options);
  return at === null ? null : connects(at, reachableWithinMs);
}

type Address = { readonly host: string; readonly port: number };

/** What ~/.ssh/config makes of the destination. */
async function addressOf(options: SshOptions): Promise<Address | null> {
  const child = sshChild(options.program ?? "ssh", [...sshArguments(options), "-G", "--", options.destination]);
  child.process.stdin.end();
  let text = "";
  child.process.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const limit = setTimeout(child.stop, resolveLimitMs);
  const { code } = await child.ended;
  clearTimeout(limit);
  return code === 0 ? addressIn(text) : null;
}

/** In the answer of `ssh -G`: a line a setting, its name in small letters first. */
export function addressIn(settings: string): Address | null {
  const of = (name: string): string | null => new RegExp(`^${name} (.*)$`, "m").exec(settings)?.[1]?.trim() ?? null;
  const isDirect = ["proxyjump", "proxycommand"].every((name) => (of(name) ?? "none") === "none");
  const host = of("hostname");
  const port = Number(of("port"));
  return isDirect && host !== null && Number.isInteger(port) ? { host, port } : null;
}

/** No answer at all, as when a cable is out; also said by this machine's own kernel or a router. */
const nobodyThere = new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN"]);

/** Refused is an answer too: the machine is there. Null when its name is not known now. */
export function connects({ host, port }: Address, withinMs: number): Promise<boolean | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const done = (answer: boolean | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(false), withinMs);
    socket.once("connect", () => done(true));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? "";
      done(nobodyThere.has(code) ? false : code === "ECONNREFUSED" || code === "ECONNRESET" ? true : null);
    });
  });
}
