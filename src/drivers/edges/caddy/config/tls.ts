import type { EdgeConfig, TlsConfig } from "../../../../ports/edge.ts";

type Listener = EdgeConfig["listeners"][number];

/** Certificates of all listeners: from files, and those that Caddy gets and renews by itself. */
export function tlsApp(listeners: readonly Listener[]): Record<string, unknown> | null {
  const secure = listeners.flatMap(({ tls }) => (tls === null ? [] : [tls]));
  if (secure.length === 0) return null;
  const files = secure.flatMap((tls) => tls.certificates);
  const acme = secure.flatMap((tls) => (tls.acme === null || tls.acme.hosts.length === 0 ? [] : [tls.acme]));
  const ports = challengePorts(listeners);
  return {
    certificates: {
      ...(files.length === 0
        ? {}
        : {
            load_files: unique(
              files.map(({ hosts, certFile, keyFile }) => ({
                certificate: certFile,
                key: keyFile,
                tags: [tagOf(hosts)],
              })),
            ),
          }),
      ...(acme.length === 0 ? {} : { automate: [...new Set(acme.flatMap(({ hosts }) => hosts))] }),
    },
    ...(acme.length === 0
      ? {}
      : {
          automation: {
            policies: acme.map((each) => ({
              subjects: each.hosts,
              issuers: [
                {
                  module: "acme",
                  ...(each.directoryUrl === null ? {} : { ca: each.directoryUrl }),
                  ...(each.email === null ? {} : { email: each.email }),
                  ...(each.caFile === null ? {} : { trusted_roots_pem_files: [each.caFile] }),
                  challenges: {
                    http: ports.http === null ? { disabled: true } : { alternate_port: ports.http },
                    "tls-alpn": ports.https === null ? { disabled: true } : { alternate_port: ports.https },
                  },
                },
              ],
            })),
          },
        }),
  };
}

/** Where ACME's challenges arrive: the first plain listener, and the first that speaks TLS. */
export function challengePorts(listeners: readonly Listener[]): {
  readonly http: number | null;
  readonly https: number | null;
} {
  return {
    http: listeners.find(({ tls }) => tls === null)?.port ?? null,
    https: listeners.find(({ tls }) => tls !== null)?.port ?? null,
  };
}

/** Which certificate a client is shown: of the file that names its host, else what Caddy has for it, else the first file's. */
export function connectionPolicies(tls: TlsConfig): unknown[] {
  const first = tls.certificates[0];
  const fallback = first?.hosts[0]?.replace(/^\*/, "any");
  const base = {
    protocol_min: "tls1.2",
    alpn: tls.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
    ...(fallback === undefined ? {} : { default_sni: fallback, fallback_sni: fallback }),
  };
  const exact = (host: string): number => Number(host.startsWith("*"));
  const named = tls.certificates
    .flatMap(({ hosts }) => hosts.map((host) => ({ host, tag: tagOf(hosts) })))
    .sort((a, b) => exact(a.host) - exact(b.host))
    .map(({ host, tag }) => ({
      ...base,
      match: { sni: [host] },
      certificate_selection: { any_tag: [tag] },
    }));
  return [...named, base];
}

/** The same before and after a renewal: while a config is loaded, the old one's listeners find the new certificate by it. */
function tagOf(hosts: readonly string[]): string {
  return `for:${hosts.join(",")}`;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
