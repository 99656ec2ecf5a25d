import { expect, test } from "vitest";
import { configOn } from "../../../../testing/conformance/edge/tables.ts";
import { defaultDirectoryUrl, wantedCertificates, withAcmeFiles } from "./wanted.ts";

const acme = (hosts: readonly string[], directoryUrl: string | null = null) => ({
  certificates: [],
  acme: { hosts, email: null, directoryUrl, caFile: null },
  http2: true,
});
const at = (port: number, tls: ReturnType<typeof acme> | null) => ({ name: `p${port}`, host: "127.0.0.1", port, tls });

test("each host is got once a CA, and listeners share it", () => {
  const config = configOn(1, {
    listeners: [at(80, null), at(443, acme(["A.example", "b.example"])), at(444, acme(["a.example"]))],
  });
  const wanted = wantedCertificates(config, "/edge");
  expect(wanted.map(({ host, impossible }) => [host, impossible])).toEqual([
    ["a.example", null],
    ["b.example", null],
  ]);
  expect(wanted[0]?.directoryUrl).toBe(defaultDirectoryUrl);
  const files = withAcmeFiles(config, "/edge").listeners.map(({ tls }) =>
    tls?.certificates.map(({ certFile }) => certFile),
  );
  expect(files[1]?.[0]).toBe(files[2]?.[0]);
  expect(files[0]).toBeUndefined();
  const staging = wantedCertificates(
    configOn(1, { listeners: [at(443, acme(["a.example"], "https://staging/"))] }),
    "/edge",
  );
  expect(staging[0]?.file).not.toBe(wanted[0]?.file);
});

test("what cannot be got is said, and no name leads out of the folder", () => {
  const hosts = ["*.a.example", "127.0.0.1", "[::1]", "a.example:443", "../../etc/passwd", "a/b"];
  const wanted = wantedCertificates(configOn(1, { listeners: [at(80, null), at(443, acme(hosts))] }), "/edge");
  for (const { host, file, impossible } of wanted) {
    expect(impossible, host).not.toBeNull();
    expect(file).toMatch(/^\/edge\/acme\/[0-9a-f]{16}\/[^/]+\.pem$/);
  }
  const closed = wantedCertificates(configOn(1, { listeners: [at(443, acme(["a.example"]))] }), "/edge");
  expect(closed[0]?.impossible).toContain("plain HTTP");
});
