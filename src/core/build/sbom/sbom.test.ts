import { describe, expect, it } from "vitest";
import { inOrder, packageUrl } from "./component.ts";
import { cycloneDx } from "./cyclonedx.ts";
import { installedKind, readInstalled, readOsRelease } from "./installed.ts";
import { type LockFile, readLockFile } from "./locked.ts";

const pairs = (file: LockFile): string[] => readLockFile(file).map((each) => `${each.name}@${each.version}`);

describe("what is in an image:", () => {
  it.each([
    ["var/lib/dpkg/status", "dpkg"],
    ["var/lib/dpkg/status.d/tzdata", "dpkg"],
    ["var/lib/dpkg/status.d/tzdata.md5sums", null],
    ["lib/apk/db/installed", "apk"],
    ["etc/os-release", "os-release"],
    ["app/node_modules/a/package.json", "npm"],
    ["app/node_modules/@s/a/node_modules/b/package.json", "npm"],
    ["app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json", "npm"],
    ["app/node_modules/a/dist/esm/package.json", null],
    ["app/package.json", null],
    ["venv/lib/python3.13/site-packages/flask-3.0.dist-info/METADATA", "pypi"],
  ])("%s is told as %s", (path, kind) => {
    expect(installedKind(path)).toBe(kind);
  });

  it("packages of the distribution: removed ones are not there", () => {
    const dpkg =
      "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nDescription: x\n more\n\nPackage: old\nStatus: deinstall ok config-files\nVersion: 1\n";
    expect(readInstalled("dpkg", dpkg, "p").map((each) => packageUrl(each, { id: "debian", version: "12" }))).toEqual([
      "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12",
    ]);
    const apk = "C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\np:so:libc.musl\n\nP:zlib\nV:1.3\n";
    expect(readInstalled("apk", apk, "p").map((each) => packageUrl(each, null))).toEqual([
      "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64",
      "pkg:apk/alpine/zlib@1.3",
    ]);
    expect(readOsRelease('NAME="Alpine"\nID=alpine\nVERSION_ID=3.20.1\n')).toEqual({ id: "alpine", version: "3.20.1" });
    expect(readOsRelease("nothing")).toBeNull();
  });

  it("packages of Node and Python, by what each says of itself", () => {
    const npm = '{"name":"@scope/a","version":"1.0.0+x","license":"MIT"}';
    expect(packageUrl(readInstalled("npm", npm, "p")[0] ?? never(), null)).toBe("pkg:npm/%40scope/a@1.0.0%2Bx");
    expect(readInstalled("npm", '{"type":"module"}', "p")).toEqual([]);
    expect(readInstalled("npm", "{", "p")).toEqual([]);
    const metadata = "Metadata-Version: 2.1\nName: Flask_Cors\nVersion: 4.0\nLicense: BSD\n\nName: body\n";
    const [found] = readInstalled("pypi", metadata, "p");
    expect(found).toMatchObject({ license: "BSD" });
    expect(packageUrl(found ?? never(), null)).toBe("pkg:pypi/flask-cors@4.0");
  });

  it("lock files, without what only development needs and without the product itself", () => {
    const json = {
      packages: {
        "": { name: "web", version: "1" },
        "node_modules/a": { version: "1.0.0" },
        "node_modules/a/node_modules/@s/b": { version: "2.0.0" },
        "node_modules/dev": { version: "1.0.0", dev: true },
        "packages/own": { version: "1.0.0" },
        "node_modules/own": { link: true },
        "node_modules/alias": { version: "3.0.0", name: "real" },
      },
    };
    expect(pairs({ name: "package-lock.json", json })).toEqual(["a@1.0.0", "@s/b@2.0.0", "real@3.0.0"]);
    const yaml = {
      packages: { "a@1.0.0": {}, "/@s/b@2.0.0(peer@1.0.0)": {}, "/c/3.0.0_peer@1.0.0": {}, "/d@1.0.0": { dev: true } },
    };
    expect(pairs({ name: "pnpm-lock.yaml", yaml })).toEqual(["a@1.0.0", "@s/b@2.0.0", "c@3.0.0"]);
    const classic =
      '# yarn lockfile v1\n\n\n"@s/b@^2.0.0", "@s/b@^2.1.0":\n  version "2.1.0"\n  resolved "x"\n\na@^1:\n  version "1.0.0"\n';
    expect(pairs({ name: "yarn.lock", text: classic })).toEqual(["@s/b@2.1.0", "a@1.0.0"]);
    const berry =
      '__metadata:\n  version: 8\n\n"a@npm:^1.0.0":\n  version: 1.0.0\n\n"web@workspace:.":\n  version: 0.0.0-use.local\n';
    expect(pairs({ name: "yarn.lock", text: berry })).toEqual(["a@1.0.0"]);
    const uv =
      'version = 1\n\n[[package]]\nname = "web"\nversion = "0.1.0"\nsource = { virtual = "." }\n\n[[package]]\nname = "flask"\nversion = "3.0.0"\n';
    expect(pairs({ name: "uv.lock", text: uv })).toEqual(["flask@3.0.0"]);
    const requirements = "flask==3.0.0 ; python_version > '3'\n# x==1\nrequests[socks] == 2.31\nopen>=1\n";
    expect(pairs({ name: "requirements.txt", text: requirements })).toEqual(["flask@3.0.0", "requests@2.31"]);
    expect(pairs({ name: "package-lock.json", json: null })).toEqual([]);
  });

  it("the document names each package once, in order, and is the same for the same image", () => {
    const [a] = readInstalled("npm", '{"name":"a","version":"1"}', "x");
    const [b] = readInstalled("npm", '{"name":"b","version":"1"}', "x");
    const components = [b, a, b].filter((each) => each !== undefined);
    expect(inOrder(components).map((each) => each.name)).toEqual(["a", "b"]);
    const facts = {
      name: "shop/web",
      version: "1",
      image: `sha256:${"ab".repeat(32)}`,
      timestamp: "2026-11-20T08:00:00Z",
      tool: "0.1.0",
      distribution: null,
      components,
    } as const;
    expect(JSON.stringify(cycloneDx(facts))).toBe(
      JSON.stringify(cycloneDx({ ...facts, components: [a, b].filter((each) => each !== undefined) })),
    );
    expect(cycloneDx(facts)).toMatchObject({
      specVersion: "1.6",
      serialNumber: "urn:uuid:abababab-abab-8bab-8bab-abababababab",
    });
  });
});

function never(): never {
  throw new Error("there is none");
}
