import { networkInterfaces } from "node:os";
import type { EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import type { Finding } from "../../core/server/step.ts";
import { releaseView } from "../release/read.ts";
import { addressesOf, certificate, leadsHere, reachable } from "../server/outside.ts";
import type { World } from "../world.ts";
import { bad, type Report } from "./check-hosts.ts";

/** A name that people come by, and where it should lead. */
export type Domain = {
  readonly name: string;
  /** The machine of the edge; null is this one. */
  readonly server: string | null;
  /** Where the edge listens with TLS there. */
  readonly port: number;
};

/** Names that lead nowhere by their definition (RFC 6761), such as in tests. */
const leadsNowhere = /(^|\.)(test|example|invalid)$/;
const httpsPort = 443;

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

function domainsIn({ edge, services }: EnvironmentSpec): readonly Domain[] {
  const { tls } = edge;
  if (tls === null) return [];
  const hosts = Object.values<ServiceSpec>(services).flatMap(({ routes }) => routes.map(({ host }) => host));
  const server = edge.server === null ? null : new URL(edge.server).hostname;
  return hosts.flatMap((name) =>
    name === null || name.startsWith("*") || leadsNowhere.test(name) ? [] : [{ name, server, port: tls.listen.port }],
  );
}

/** DNS, the port and the certificate of a name, as somebody who comes by it meets them. Changes nothing. */
export async function domainReport({ clock }: Pick<World, "clock">, { name, server, port }: Domain): Promise<Report> {
  const dns = await leadsHere(name, server === null ? ownAddresses() : await addressesOf(server));
  if (dns.is === "blocked") return reportOf([dns]);
  // Elsewhere is a CDN or a balancer, and its port is everybody's.
  const at = { host: name, port: dns.is === "ok" ? port : httpsPort };
  const way = await reachable(at.host, at.port);
  return reportOf(way.is === "ok" ? [dns, await certificate(name, clock.now(), at)] : [dns, way]);
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

/** A port where nobody listens is no note here: something is live behind it. */
function reportOf(all: readonly (Finding & { readonly about: string })[]): Report {
  const worst = all.find(({ is, about }) => is === "blocked" || (about === "port" && is !== "ok"));
  if (worst !== undefined) return bad(worst.evidence, worst.hint ?? "is the edge up? see: slipway status");
  return all.map(({ evidence, hint }) => (hint === null ? evidence : `${evidence} (${hint})`)).join("; ");
}
