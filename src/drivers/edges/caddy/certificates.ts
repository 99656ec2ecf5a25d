import { checkServerIdentity, connect, type PeerCertificate } from "node:tls";
import { reasonOf } from "../../../core/errors/error.ts";
import type { CertificateStatus, EdgeConfig } from "../../../ports/edge.ts";
import type { Place } from "./place.ts";

const handshakeWithinMs = 5_000;

/** What clients are shown, asked for as a client would: a certificate that is on disk and not served would not help them. */
export async function servedCertificates(
  config: EdgeConfig,
  place: Place,
  troubles: Readonly<Record<string, string>>,
): Promise<CertificateStatus[]> {
  const wanted = config.listeners.flatMap((listener) => {
    if (listener.tls === null) return [];
    const hosts = [...listener.tls.certificates.flatMap((each) => each.hosts), ...(listener.tls.acme?.hosts ?? [])];
    return [...new Set(hosts)].map((host) => ({ listener, host }));
  });
  return Promise.all(
    wanted.map(async ({ listener, host }) => {
      const base = { listener: listener.name, hosts: [host] };
      try {
        const served = await shown(await place.dial(listener.host, listener.port), host.replace(/^\*/, "any"));
        const { issuer } = served;
        const notAfter = Date.parse(served.valid_to);
        // Somebody else's is shown when there is none for this name: that is none.
        if (troubles[host] !== undefined && !isFor(host, served))
          return { ...base, ...nothing, trouble: troubles[host] };
        const wrong = !isFor(host, served)
          ? `the certificate that is shown is not for ${host}`
          : notAfter < Date.now()
            ? `the certificate expired on ${new Date(notAfter).toISOString()}`
            : null;
        return {
          ...base,
          issuer: [issuer.CN, issuer.O].flat().find((name) => typeof name === "string" && name !== "") ?? "",
          notBefore: Date.parse(served.valid_from),
          notAfter,
          trouble: troubles[host] ?? wrong,
        };
      } catch (error) {
        return { ...base, ...nothing, trouble: troubles[host] ?? reasonOf(error) };
      }
    }),
  );
}

const nothing = { issuer: "", notBefore: 0, notAfter: 0 };

function isFor(host: string, served: PeerCertificate): boolean {
  return checkServerIdentity(host.replace(/^\*/, "any"), served) === undefined;
}

function shown(at: Awaited<ReturnType<Place["dial"]>>, servername: string): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    // Expired and private ones are to be read, not refused.
    const socket = connect({ ...at, servername, rejectUnauthorized: false, timeout: handshakeWithinMs }, () => {
      const certificate = socket.getPeerCertificate();
      socket.destroy();
      resolve(certificate);
    });
    socket.once("timeout", () => socket.destroy(new Error(`no handshake within ${handshakeWithinMs / 1000} s`)));
    socket.once("error", reject);
  });
}
