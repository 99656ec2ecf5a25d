import { lookup } from "node:dns/promises";
import { get } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { lateMs } from "../../core/certificates/standing.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { ServerAddress } from "../../core/server/address.ts";
import type { Finding } from "../../core/server/step.ts";
import type { Ssh } from "../../lib/ssh/open-ssh.ts";
import { unlessAborted } from "../../lib/unless-aborted.ts";

/** What only somebody outside can see of a server. */
export type OutsideFinding = Finding & { readonly about: "dns" | "port" | "tls" | "clock" };

const patienceMs = 5_000;
/** Tokens and one-time passwords bear about this much. */
const clockToleranceMs = 5_000;
const dayMs = 86_400_000;

export type Outside = {
  readonly address: ServerAddress;
  /** Names that should lead to this server. */
  readonly domains: readonly string[];
  readonly ssh: Ssh;
  readonly now: () => number;
  readonly signal: AbortSignal;
};

/** DNS, ports, TLS and the clock, in words. Changes nothing; may be repeated. Trouble is a finding, never an error. */
export async function lookFromOutside(outside: Outside): Promise<readonly OutsideFinding[]> {
  const host = await addressesOf(outside.address.host);
  const found = await Promise.all([
    clock(outside),
    ...(host.length === 0
      ? [alias(outside.address.host)]
      : [80, 443].map((port) => reachable(outside.address.host, port))),
    ...outside.domains.flatMap((domain) => [leadsHere(domain, host), certificate(domain, outside.now())]),
  ]);
  return found.flat();
}

function finding(
  about: OutsideFinding["about"],
  is: Finding["is"],
  evidence: string,
  hint: string | null = null,
): OutsideFinding {
  return { about, is, evidence, hint };
}

/** None where the name has none, or nobody says so within 5 s. */
export async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    const found = await unlessAborted(lookup(name, { all: true }), AbortSignal.timeout(patienceMs));
    return found.map((each) => each.address);
  } catch {
    return [];
  }
}

async function alias(host: string): Promise<OutsideFinding> {
  return finding("dns", "note", `${host} is a name of your SSH configuration only: its ports were not tried from here`);
}

/** The host's clock against ours, no finer than half of the time that the question took. */
async function clock({ ssh, now, signal }: Outside): Promise<OutsideFinding> {
  const askedAt = now();
  try {
    const { stdout } = await ssh.run(["date", "+%s"], { signal, timeoutMs: patienceMs * 2 });
    const answeredAt = now();
    const seconds = Number(stdout.trim());
    if (!/^\d{9,11}$/.test(stdout.trim())) return finding("clock", "note", "its date answers with no number");
    // Its second began up to one second before.
    const early = seconds * 1000 - answeredAt;
    const late = (seconds + 1) * 1000 - askedAt;
    const offBy = early > 0 ? early : Math.min(late, 0);
    return Math.abs(offBy) <= clockToleranceMs
      ? finding("clock", "ok", "the same time as here")
      : finding(
          "clock",
          "blocked",
          `${Math.round(Math.abs(offBy) / 1000)} s ${offBy > 0 ? "ahead of" : "behind"} this machine's clock`,
          "certificates and tokens will seem to be not yet or no longer valid; on the host: timedatectl",
        );
  } catch (error) {
    signal.throwIfAborted();
    return finding("clock", "note", `its clock could not be read: ${reasonOf(error)}`);
  }
}

/** Does a port answer from here? Waits at most 5 s. */
export async function reachable(host: string, port: number): Promise<OutsideFinding> {
  const answer = await opened(connectTcp({ host, port }), "connect");
  if (answer === null) return finding("port", "ok", `${port} answers`);
  if (answer === "ECONNREFUSED") {
    return finding("port", "note", `${port} is reached, and nothing listens there yet`);
  }
  return finding(
    "port",
    "blocked",
    `${port} does not answer (${answer})`,
    `a firewall before the server? open ${port} in your provider's network rules or security group too`,
  );
}

/** Does the CA reach a name for its proof? It asks by plain HTTP. */
export async function caReaches(name: string, port: number): Promise<OutsideFinding> {
  const way = await reachable(name, port);
  return way.is === "ok" ? way : { ...way, evidence: `${way.evidence}: the CA asks ${name} for its proof there` };
}

/** Is who comes to a name by plain HTTP sent to https? Waits at most 5 s, twice. */
export async function sentToHttps(name: string, port: number): Promise<OutsideFinding> {
  const way = await reachable(name, port);
  if (way.is !== "ok") return { ...way, evidence: `${way.evidence}: who types ${name} without https:// comes there` };
  const answer = await plainAnswer(name, port);
  if (answer.is === "nothing")
    return finding("port", "blocked", `${port} answers no plain HTTP (${answer.why})`, whoListens);
  const { status, location } = answer;
  if (status >= 300 && status < 400 && location?.startsWith("https://"))
    return finding("tls", "ok", `plain HTTP at ${port} is sent to https`);
  return finding("port", "blocked", `plain HTTP at ${port} is answered ${status}, and not sent to https`, whoListens);
}

const whoListens = "is it the edge that listens there? another web server, or a mapping of ports, may have it";

type PlainAnswer =
  | { readonly is: "answer"; readonly status: number; readonly location: string | undefined }
  | { readonly is: "nothing"; readonly why: string };

function plainAnswer(name: string, port: number): Promise<PlainAnswer> {
  return new Promise((resolve) => {
    const nothing = (why: string): void => resolve({ is: "nothing", why });
    const asked = get({ host: name, port, path: "/", agent: false, timeout: patienceMs }, (answer) => {
      const { statusCode = 0, headers } = answer;
      resolve({ is: "answer", status: statusCode, location: headers.location });
      answer.destroy();
    });
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", (error: NodeJS.ErrnoException) => nothing(error.code ?? error.message));
  });
}

/** Does a name lead to one of the host's addresses? */
export async function leadsHere(domain: string, host: readonly string[]): Promise<OutsideFinding> {
  const addresses = await addressesOf(domain);
  if (addresses.length === 0) {
    return finding(
      "dns",
      "blocked",
      `${domain} has no address`,
      `make an A record${host[0] === undefined ? "" : ` to ${host[0]}`} where the domain is managed; it may take as long as its TTL`,
    );
  }
  const shown = `${domain} is ${addresses.join(", ")}`;
  if (addresses.some((address) => host.includes(address))) return finding("dns", "ok", shown);
  return finding(
    "dns",
    "note",
    `${shown}; this server is ${host.join(", ") || "not known by name"}`,
    "right behind a CDN or a load balancer; else change the A or AAAA record",
  );
}

/** The certificate that is served for a name, as a browser would judge it. Waits at most 5 s. */
export async function certificate(
  domain: string,
  now: number,
  at: { readonly host: string; readonly port: number } = { host: domain, port: 443 },
): Promise<OutsideFinding> {
  const socket = connectTls({ ...at, servername: domain, rejectUnauthorized: false });
  // Read before the socket is closed: afterwards there is none.
  let seen: { readonly from: number; readonly until: number; readonly trouble: string | null } | null = null;
  const failure = await opened(socket, "secureConnect", () => {
    const { valid_from, valid_to } = socket.getPeerCertificate();
    const { authorizationError } = socket;
    seen = {
      from: Date.parse(valid_from),
      until: Date.parse(valid_to),
      trouble: socket.authorized ? null : String(authorizationError?.message ?? authorizationError),
    };
  });
  return certificateFinding(domain, seen, failure, now);
}

/** The words for what was seen of a certificate. */
export function certificateFinding(
  domain: string,
  seen: { readonly from: number; readonly until: number; readonly trouble: string | null } | null,
  failure: string | null,
  now: number,
): OutsideFinding {
  if (seen === null) {
    return finding(
      "tls",
      "blocked",
      `${domain}: no TLS (${failure ?? "no certificate"})`,
      "is the edge up, and does a route name this host?",
    );
  }
  const days = Math.floor((seen.until - now) / dayMs);
  if (days < 0) {
    return finding(
      "tls",
      "blocked",
      `${domain}: the certificate ran out ${-days} days ago`,
      "is port 80 or 443 reached from outside, for the ACME challenge? see the edge's log",
    );
  }
  if (seen.trouble !== null) {
    return finding(
      "tls",
      "blocked",
      `${domain}: ${seen.trouble}`,
      "browsers will refuse it; a certificate of a public authority is made when DNS and ports are right",
    );
  }
  return seen.until - now < lateMs({ notBefore: seen.from, notAfter: seen.until })
    ? finding(
        "tls",
        "note",
        `${domain}: the certificate has ${days} days left`,
        "its renewal is late; see the edge's log",
      )
    : finding("tls", "ok", `${domain}: a certificate for ${days} more days`);
}

/** Null when the event came in time; else the error's code. The socket is gone afterwards. */
function opened(socket: Socket, event: "connect" | "secureConnect", onOpen?: () => void): Promise<string | null> {
  return new Promise((resolve) => {
    const end = (answer: string | null): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMs, () => end("no answer"));
    socket.once(event, () => {
      onOpen?.();
      end(null);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
