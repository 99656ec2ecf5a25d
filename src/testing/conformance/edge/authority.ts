import { execFile } from "node:child_process";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A certificate and its key, as the files of a `TlsConfig`. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** A certificate authority for tests, made by the `openssl` command in a directory of its own. */
export type TestAuthority = {
  readonly directory: string;
  readonly caFile: string;
  /** The authority's certificate, for clients that trust it. */
  readonly ca: string;
  /** Signs a new certificate. Under a name that was used before it replaces the files, as a renewal does. */
  issue(name: string, hosts: readonly string[], options?: { readonly days?: number }): Promise<CertificateFiles>;
  dispose(): Promise<void>;
};

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export async function makeAuthority(commonName = "Slipway Test CA"): Promise<TestAuthority> {
  const directory = await mkdtemp(join(tmpdir(), "edge-ca-"));
  const at = (name: string): string => join(directory, name);
  const caFile = at("ca.pem");
  const caKey = at("ca.key");
  const subject = `/CN=${commonName}`;
  await run("openssl", ["req", "-x509", ...newKey, "-keyout", caKey, "-out", caFile, "-days", "2", "-subj", subject]);
  return {
    directory,
    caFile,
    ca: await readFile(caFile, "utf8"),
    async issue(name, hosts, { days = 1 } = {}) {
      const [certFile, keyFile, request] = [at(`${name}.pem`), at(`${name}.key`), at(`${name}.csr`)];
      const names = `subjectAltName=${hosts.map((host) => (/^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`)).join(",")}`;
      const made = ["-keyout", `${keyFile}.new`, "-out", request, "-subj", `/CN=${name}`, "-addext", names];
      await run("openssl", ["req", ...newKey, ...made]);
      const signed = ["-CA", caFile, "-CAkey", caKey, "-days", String(days), "-copy_extensions", "copy"];
      await run("openssl", ["x509", "-req", "-in", request, ...signed, "-out", `${certFile}.new`]);
      // One after the other, as other programs do it: for a moment the two do not belong together.
      await rename(`${certFile}.new`, certFile);
      await rename(`${keyFile}.new`, keyFile);
      return { certFile, keyFile };
    },
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}
