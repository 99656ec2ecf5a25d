import { readFile } from "node:fs/promises";
import { createSecureContext, type PeerCertificate, type SecureContext, type TLSSocket } from "node:tls";
import { DockerError } from "./errors.ts";

/** PEM files of a connection's TLS: whom we believe to be the engine, and who we are; without the latter we show nothing. */
export type TlsFiles = {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

/** From when to when a certificate holds, in milliseconds since 1970. */
export type CertificateLife = { readonly whose: "its" | "our"; readonly notBefore: number; readonly notAfter: number };

type Contents = Readonly<Record<"ca" | "cert" | "key", Buffer | null>>;

/**
 * What each new connection to `where` is made with: the files as they are then, since a renewal replaces them at any time. While
 * they cannot be read, or do not belong together because one of them is new already, it is what was read before.
 */
export function tlsOf(files: TlsFiles, where: string): () => Promise<SecureContext> {
  let good: { readonly contents: Contents; readonly context: SecureContext } | null = null;
  return async () => {
    try {
      const contents = await contentsOf(files);
      if (good === null || !isSame(contents, good.contents)) good = { contents, context: contextOf(contents, files) };
    } catch (error) {
      if (good === null) throw unusable(where, error);
    }
    return good.context;
  };
}

/** Of both sides of a connection; of ours where one was shown. */
export function livesOf(socket: TLSSocket): readonly CertificateLife[] {
  return [lifeOf("its", socket.getPeerCertificate()), lifeOf("our", socket.getCertificate())].flat();
}

function lifeOf(whose: CertificateLife["whose"], certificate: PeerCertificate | object | null): CertificateLife[] {
  if (certificate === null || !("valid_from" in certificate)) return [];
  return [{ whose, notBefore: Date.parse(certificate.valid_from), notAfter: Date.parse(certificate.valid_to) }];
}

async function contentsOf({ ca, cert, key }: TlsFiles): Promise<Contents> {
  return { ca: await read("ca", ca), cert: await read("cert", cert), key: await read("key", key) };
}

async function read(name: string, file: string | undefined): Promise<Buffer | null> {
  if (file === undefined) return null;
  try {
    return await readFile(file);
  } catch (error) {
    throw new Error(`tls.${name} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

function contextOf({ ca, cert, key }: Contents, files: TlsFiles): SecureContext {
  const named = (["ca", "cert", "key"] as const).flatMap((name) =>
    files[name] === undefined ? [] : [`tls.${name} (${files[name]})`],
  );
  try {
    return createSecureContext({
      ...(ca === null ? {} : { ca }),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
      minVersion: "TLSv1.2",
    });
  } catch (error) {
    throw new Error(`${named.join(", ")} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

function isSame(one: Contents, other: Contents): boolean {
  const text = ({ ca, cert, key }: Contents) => [ca, cert, key].map((each) => each?.toString("latin1") ?? null);
  return JSON.stringify(text(one)) === JSON.stringify(text(other));
}

function unusable(where: string, error: unknown): DockerError {
  return new DockerError("DENIED", `${where}: ${reasonOf(error)}`, {
    call: "connect",
    hint: "give PEM files that the control plane's user may read; cert and key belong together",
    cause: error,
  });
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
