import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseServerAddress } from "./address.ts";
import { parseMirrorUrl, parseOpenPort, parsePublicKey, parseTrusted, parseUserName } from "./settings.ts";

const key = `ssh-ed25519 ${"A".repeat(68)}`;

describe("what people may ask of a server:", () => {
  it("a public key keeps its comment, made harmless", () => {
    expect(parsePublicKey(`${key} ops@laptop\n`)).toBe(`${key} ops@laptop`);
    expect(parsePublicKey(`${key} it's $(me) \u001b[2J`)).toBe(`${key} it-s-me-2J`);
    expect(parsePublicKey(key)).toBe(key);
  });

  it.each([
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    `command="x" ${key}`,
    `ssh-dss ${"A".repeat(68)}`,
    "ssh-ed25519 short",
    `ssh-ed25519 ${"A".repeat(60)}'x`,
    "",
  ])("no public key: %j", (text) => {
    expect(parsePublicKey(text)).toBeNull();
  });

  it("a user has a plain name that is not the system's", () => {
    expect(["deploy", "ci-2"].map(parseUserName)).toEqual(["deploy", "ci-2"]);
    expect(["root", "Deploy", "-x", "a b", "x;y", "", "caddy"].map(parseUserName)).toEqual(Array(7).fill(null));
  });

  it("ports and ranges", () => {
    expect(parseOpenPort("5432")).toEqual({ port: 5432, protocol: "tcp" });
    expect(parseOpenPort("51820/udp")).toEqual({ port: 51_820, protocol: "udp" });
    expect(["0", "65536", "22/sctp", "22 80", "-1"].map(parseOpenPort)).toEqual(Array(5).fill(null));
    expect(parseTrusted("10.0.0.4")).toBe("10.0.0.4/32");
    expect(["0.0.0.0/0", "::/0", "10.0.0.0/33", "host"].map(parseTrusted)).toEqual(Array(4).fill(null));
  });

  it("a mirror has an address without anything a shell or apt could misread", () => {
    expect(parseMirrorUrl("https://apt.example.com:8443/caddy/")).toBe("https://apt.example.com:8443/caddy");
    for (const text of ["ftp://x/y", "https://user:pw@x/", "https://x/$(id)", "https://x/a b", "https://x/?q=1"]) {
      expect(parseMirrorUrl(text), text).toBeNull();
    }
  });

  it("a server is named as ssh names it", () => {
    expect(parseServerAddress("ssh://root@203.0.113.7:2222")).toEqual({
      destination: "root@203.0.113.7",
      host: "203.0.113.7",
      port: 2222,
    });
    expect(parseServerAddress("web-1")).toEqual({ destination: "web-1", host: "web-1", port: null });
    expect(parseServerAddress("ssh://root@[2001:db8::7]")).toMatchObject({ destination: "root@2001:db8::7" });
    for (const text of [
      "-oProxyCommand=x",
      "ssh://root:pw@host",
      "root@host/path",
      "a b",
      "",
      "host:0",
      "http://host",
    ]) {
      expect(parseServerAddress(text), text).toBeNull();
    }
  });

  it("nothing that passes can end a word of a shell or a line of a file", () => {
    const parsers = [parsePublicKey, parseUserName, parseTrusted, parseMirrorUrl];
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("", key, "https://x/", "10.0.0.0/"),
        (text, before) => {
          for (const parse of parsers) expect(parse(before + text) ?? "").not.toMatch(/['"`$\\;&|<>\n\r\0]/);
        },
      ),
    );
  });
});
