import { networkInterfaces } from "node:os";
import { covers, redirectsToHttps } from "../../core/product/https.ts";
import type { EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import type { Finding } from "../../core/server/step.ts";
import { releaseView } from "../release/read.ts";
import { addressesOf, caReaches, certificate, leadsHere, reachable, sentToHttps } from "../server/outside.ts";
import type { World } from "../world.ts";
import { bad, type Report } from "./check-hosts.ts";

/** A name that people come by, and where it should lead. */
export type Domain = {
  readonly name: string;
  /** The machine of the edge; null is this one. */
  readonly server: string | null;
  /** Where the edge listens with TLS there. */
  readonly port: number;
  /** Where it must be met by plain HTTP too: by the CA's question (at port 80, RFC 8555 §8.3), and by those whom it sends to https. */
  readonly plain: { readonly acme: number | null; readonly redirect: number | null };
};

/** Names that lead nowhere by their definition (RFC 6761), such as in tests. */
const leadsNowhere = /(^|\.)(test|example|invalid)$/;
const httpsPort = 443;
const httpPort = 80;

/** Names in the routes of what is live behind an edge with TLS: what is not for the public says nothing of DNS. */
export async function domainsOf({ store: { db } }: World): Promise<readonly Domain[]> {
  const rows = await db
    .selectFrom("environment")
    .select(["name", "live_release_id"])
    .where("live_release_id", "is not", null)
    .orderBy("name")
    .execute();
  const found = new Map<string, Domain>();
  for (const { name: environment, live_release_id: release } of rows) {
    if (release === null) continue;
    for (const domain of domainsIn((await releaseView(db, release, environment)).spec)) found.set(domain.name, domain);
  }
  return [...found.values()];
}

/** Names in the routes of one environment, with what each needs. */
export function domainsIn({ edge, services }: EnvironmentSpec): readonly Domain[] {
  const { tls } = edge;
  if (tls === null) return [];
  const hosts = Object.values<ServiceSpec>(services).flatMap(({ routes }) => routes.map(({ host }) => host));
  const server = edge.server === null ? null : new URL(edge.server).hostname;
  const inFiles = tls.certificates.flatMap((each) => each.hosts);
  return hosts.flatMap((name) => {
    if (name === null || name.startsWith("*") || leadsNowhere.test(name)) return [];
    // Caddy is asked at the port of TLS as well, which is tried in any case.
    const asksPlain = tls.acme !== null && edge.driver === "embedded" && !covers(inFiles, name);
    const plain = {
      acme: asksPlain ? httpPort : null,
      redirect: redirectsToHttps(edge, name) ? edge.listen.port : null,
    };
    return [{ name, server, port: tls.listen.port, plain }];
  });
}

/** DNS, the ports and the certificate of a name, as somebody who comes by it meets them. Changes nothing. */
export async function domainReport({ clock }: Pick<World, "clock">, domain: Domain): Promise<Report> {
  const { name, server, plain } = domain;
  const dns = await leadsHere(name, server === null ? ownAddresses() : await addressesOf(server));
  if (dns.is === "blocked") return reportOf([dns]);
  // Elsewhere is a CDN or a balancer, and its port is everybody's.
  const isHere = dns.is === "ok";
  const at = { host: name, port: isHere ? domain.port : httpsPort };
  const [way, ...ways] = await Promise.all([
    reachable(at.host, at.port),
    // A CDN asks for a certificate of its own.
    ...(plain.acme === null || !isHere ? [] : [caReaches(name, plain.acme)]),
    ...(plain.redirect === null ? [] : [sentToHttps(name, isHere ? plain.redirect : httpPort)]),
  ]);
  return reportOf([dns, way, ...ways, ...(way.is === "ok" ? [await certificate(name, clock.now(), at)] : [])]);
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

/** A port where nobody listens is no note here: something is live behind it. */
function reportOf(all: readonly (Finding & { readonly about: string })[]): Report {
  const wrong = all.filter(({ is, about }) => is === "blocked" || (about === "port" && is !== "ok"));
  const [worst] = wrong;
  if (worst !== undefined)
    return bad(wrong.map(({ evidence }) => evidence).join("; "), worst.hint ?? "is the edge up? see: slipway status");
  // Of a port that answers there is nothing to say but what was met there.
  const told = all.filter(({ about }) => about !== "port");
  return told.map(({ evidence, hint }) => (hint === null ? evidence : `${evidence} (${hint})`)).join("; ");
}
