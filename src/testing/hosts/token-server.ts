import { createHash, createPublicKey, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import { join } from "node:path";
import { needPrograms, run } from "./parts.ts";

export type Certificate = { readonly key: string; readonly cert: string; readonly certFile: string };

/** A certificate that signs itself, for a name or an address, good for a day. */
export async function certificateFor(directory: string, host: string): Promise<Certificate> {
  needPrograms("openssl");
  const [keyFile, certFile] = [join(directory, `${host}.key`), join(directory, `${host}.crt`)];
  const name = isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`;
  const what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  await run([
    "openssl",
    "req",
    "-x509",
    ...what,
    "-subj",
    `/CN=${host}`,
    "-addext",
    `subjectAltName=${name}`,
    "-keyout",
    keyFile,
    "-out",
    certFile,
  ]);
  return { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8"), certFile };
}

export type TokenServer = {
  /** What the registry's own config says about it. */
  readonly config: object;
  close(): Promise<void>;
};

/**
 * Gives out tokens that the registry believes, to who knows user and password: the protocol of docs.docker.com's "token
 * authentication specification", as GHCR and Docker Hub speak it. Scopes are granted as they are asked for.
 */
export async function startTokenServer(
  directory: string,
  /** Looked at for each request. */
  account: { readonly user: string; readonly password: string },
): Promise<TokenServer> {
  const { key, cert, certFile } = await certificateFor(directory, "issuer");
  const service = "test-registry";
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://tokens");
    const expected = `Basic ${Buffer.from(`${account.user}:${account.password}`).toString("base64")}`;
    if (request.headers.authorization !== expected) return void response.writeHead(401).end("{}");
    const access = url.searchParams.getAll("scope").map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",") };
    });
    const now = Math.floor(Date.now() / 1_000);
    const token = jwt(
      {
        iss: "issuer",
        sub: account.user,
        aud: service,
        exp: now + 300,
        nbf: now - 10,
        iat: now,
        jti: randomUUID(),
        access,
      },
      { key, cert },
    );
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ token, expires_in: 300 }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  await writeFile(join(directory, "issuer.pem"), cert);
  return {
    config: { realm, service, issuer: "issuer", rootcertbundle: certFile },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** ES256, with the signer's certificate in the header, as the registry wants it. */
function jwt(claims: object, { key, cert }: { readonly key: string; readonly cert: string }): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const der = cert.replace(/-----[A-Z ]+-----|\s/g, "");
  const spki = createPublicKey(cert).export({ type: "spki", format: "der" });
  const head = { alg: "ES256", typ: "JWT", x5c: [der], kid: createHash("sha256").update(spki).digest("hex") };
  const body = `${encode(head)}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(body), { key, dsaEncoding: "ieee-p1363" });
  return `${body}.${signature.toString("base64url")}`;
}
