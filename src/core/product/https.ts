import type { EdgeSpec, HstsSpec } from "./spec.ts";

/**
 * Whether plain HTTP to a route's host is sent to https. `named` leaves alone what TLS has no certificate for, and routes for any host:
 * there the product's own services call each other, at an address.
 */
export function redirectsToHttps(
  { redirectToHttps, tls }: Pick<EdgeSpec, "redirectToHttps" | "tls">,
  host: string | null,
): boolean {
  if (redirectToHttps !== "named") return redirectToHttps;
  if (host === null || tls === null) return false;
  // Nobody proves a wildcard over HTTP (RFC 8555 §8.3).
  return (
    covers(
      tls.certificates.flatMap(({ hosts }) => hosts),
      host,
    ) ||
    (tls.acme !== null && !host.startsWith("*"))
  );
}

/** Whether one of the names of certificates is the host's: its own, or a wildcard, which stands for one label (RFC 6125 §6.4.3). */
export function covers(names: readonly string[], host: string): boolean {
  return names.includes(host) || names.includes(`*.${host.slice(host.indexOf(".") + 1)}`);
}

/** Headers of every answer, Strict-Transport-Security (RFC 6797 §6.1) among them. */
export function answerHeaders({ headers, hsts }: Pick<EdgeSpec, "headers" | "hsts">): Readonly<Record<string, string>> {
  return hsts === undefined ? headers : { ...headers, [hstsHeader]: hstsValue(hsts) };
}

export const hstsHeader = "strict-transport-security";

function hstsValue({ maxAgeS, includeSubDomains, preload }: HstsSpec): string {
  return [
    `max-age=${maxAgeS}`,
    ...(includeSubDomains ? ["includeSubDomains"] : []),
    ...(preload ? ["preload"] : []),
  ].join("; ");
}

/** What browsers' lists ask for (https://hstspreload.org/#submission-requirements, looked up 2026-11): a year. */
export const preloadLeastS = 31_536_000;
