import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Header, type HeaderData } from "tar";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packDirectory } from "./pack.ts";
import { unpackArchive } from "./unpack.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pack-"));
  mkdirSync(join(folder, "source"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);

function fill(directory: string): void {
  mkdirSync(join(directory, "lib", "empty"), { recursive: true });
  mkdirSync(join(directory, "é".repeat(60), "n".repeat(150)), { recursive: true });
  writeFileSync(join(directory, "é".repeat(60), "n".repeat(150), "ü 漢.txt"), "long");
  writeFileSync(join(directory, "lib", "big"), Buffer.alloc(3_000_000, "abc"));
  writeFileSync(join(directory, "Zfirst"), "");
  writeFileSync(join(directory, "run.sh"), "#!/bin/sh\n");
  chmodSync(join(directory, "run.sh"), 0o755);
  symlinkSync("../run.sh", join(directory, "lib", "link"));
}

test("what is packed comes out the same, with links, empty directories, long names and the executable bit", async () => {
  fill(at("source"));
  const packed = await packDirectory(at("source"), at("a.tar"));
  expect(packed.digest).toBe(
    `sha256:${createHash("sha256")
      .update(readFileSync(at("a.tar")))
      .digest("hex")}`,
  );
  await unpackArchive({ file: at("a.tar"), digest: packed.digest }, at("out"));
  expect(readFileSync(at("out", "é".repeat(60), "n".repeat(150), "ü 漢.txt"), "utf8")).toBe("long");
  expect(readFileSync(at("out", "lib", "big")).equals(readFileSync(at("source", "lib", "big")))).toBe(true);
  expect(readdirSync(at("out", "lib", "empty"))).toEqual([]);
  expect(readlinkSync(at("out", "lib", "link"))).toBe("../run.sh");
  expect(statSync(at("out", "run.sh")).mode & 0o777).toBe(0o755);
  expect(statSync(at("out", "Zfirst")).mode & 0o700).toBe(0o600);
  expect((await packDirectory(at("out"), at("b.tar"))).digest).toBe(packed.digest);
});

test("the digest follows the content alone: not times, modes, hard links or the order of making", async () => {
  fill(at("source"));
  const { digest } = await packDirectory(at("source"), at("a.tar"));
  utimesSync(at("source", "lib", "big"), 1, 1);
  chmodSync(at("source", "lib", "big"), 0o600);
  rmSync(at("source", "Zfirst"));
  writeFileSync(at("source", "Zfirst"), "");
  expect((await packDirectory(at("source"), at("b.tar"))).digest).toBe(digest);
  writeFileSync(at("source", "copy"), readFileSync(at("source", "lib", "big")));
  const copied = await packDirectory(at("source"), at("c.tar"));
  rmSync(at("source", "copy"));
  linkSync(at("source", "lib", "big"), at("source", "copy"));
  expect((await packDirectory(at("source"), at("d.tar"))).digest).toBe(copied.digest);
  chmodSync(at("source", "copy"), 0o755);
  expect((await packDirectory(at("source"), at("e.tar"))).digest).not.toBe(copied.digest);
});

test.each(["/etc/passwd", "../../outside", "..", "a/../../x", "."])(
  "a link to %s is refused when packing or harmless",
  async (target) => {
    mkdirSync(at("source", "lib"));
    symlinkSync(target, at("source", "lib", "link"));
    const packing = packDirectory(at("source"), at("a.tar"));
    if (target === "." || target === "..") await packing;
    else await expect(packing).rejects.toMatchObject({ code: "UNSAFE" });
    const leftOut: string[] = [];
    const onLeftOut = (path: string, to: string) => void leftOut.push(`${path} -> ${to}`);
    const { files } = await packDirectory(at("source"), at("b.tar"), { onLeftOut });
    const leadsOut = target !== "." && target !== "..";
    expect([files, leftOut]).toEqual(leadsOut ? [1, [`lib/link -> ${target}`]] : [2, []]);
  },
);

test("limits, a skipped path and a missing directory are kept, and a failure leaves no file", async () => {
  fill(at("source"));
  const files = packDirectory(at("source"), at("a.tar"), { limits: { bytes: 1e9, files: 3 } });
  await expect(files).rejects.toMatchObject({ code: "TOO_LARGE" });
  const bytes = packDirectory(at("source"), at("a.tar"), { limits: { bytes: 2_000_000, files: 100 } });
  await expect(bytes).rejects.toMatchObject({ code: "TOO_LARGE" });
  await expect(packDirectory(at("nowhere"), at("a.tar"))).rejects.toMatchObject({ code: "MISSING" });
  expect(readdirSync(folder)).toEqual(["source"]);
  const packed = await packDirectory(at("source"), at("a.tar"), { skip: (path) => path === "lib" });
  await unpackArchive({ file: at("a.tar"), digest: packed.digest }, at("out"));
  expect(existsSync(at("out", "lib"))).toBe(false);
  const small = unpackArchive({ file: at("a.tar"), digest: packed.digest }, at("o"), {
    limits: { bytes: 3, files: 9 },
  });
  await expect(small).rejects.toMatchObject({ code: "TOO_LARGE" });
});

type Hostile = { readonly name: string; readonly entries: readonly (HeaderData & { readonly content?: string })[] };

const hostile: readonly Hostile[] = [
  { name: "an absolute path", entries: [{ path: "/tmp/evil", type: "File", content: "x" }] },
  { name: "a path upwards", entries: [{ path: "../evil", type: "File", content: "x" }] },
  { name: "a path up in the middle", entries: [{ path: "a/../../evil", type: "File", content: "x" }] },
  { name: "a backslash", entries: [{ path: "..\\evil", type: "File", content: "x" }] },
  { name: "a link outside", entries: [{ path: "l", type: "SymbolicLink", linkpath: "../../etc" }] },
  { name: "a link with steps up after a name", entries: [{ path: "l", type: "SymbolicLink", linkpath: "a/../../x" }] },
  { name: "an absolute link", entries: [{ path: "l", type: "SymbolicLink", linkpath: "/etc/passwd" }] },
  {
    name: "a file through a link",
    entries: [
      { path: "l", type: "SymbolicLink", linkpath: "." },
      { path: "l/evil", type: "File", content: "x" },
    ],
  },
  { name: "a hard link", entries: [{ path: "l", type: "Link", linkpath: "/etc/passwd" }] },
  { name: "a device", entries: [{ path: "d", type: "CharacterDevice", devmaj: 1, devmin: 3 }] },
  { name: "a pipe", entries: [{ path: "p", type: "FIFO" }] },
  {
    name: "a name that comes twice",
    entries: [
      { path: "f", type: "File", content: "x" },
      { path: "f", type: "File", content: "y" },
    ],
  },
];

test.each(hostile)("an archive with $name is refused and leaves nothing", async ({ entries }) => {
  const digest = writeTar(at("evil.tar"), entries);
  await expect(unpackArchive({ file: at("evil.tar"), digest }, at("out"))).rejects.toMatchObject({ code: "UNSAFE" });
  expect(readdirSync(folder).sort()).toEqual(["evil.tar", "source"]);
});

test("an archive that was changed, cut short, emptied or replaced is corrupt; one that is gone is missing", async () => {
  fill(at("source"));
  const { digest } = await packDirectory(at("source"), at("a.tar"));
  const whole = readFileSync(at("a.tar"));
  const changed = Buffer.from(whole);
  changed.writeUInt8((changed.at(1_000_000) ?? 0) ^ 1, 1_000_000);
  for (const bytes of [changed, whole.subarray(0, whole.length / 2), Buffer.alloc(0), Buffer.from("no tar at all")]) {
    writeFileSync(at("b.tar"), bytes);
    await expect(unpackArchive({ file: at("b.tar"), digest }, at("out"))).rejects.toMatchObject({ code: "CORRUPT" });
  }
  await expect(unpackArchive({ file: at("c.tar"), digest }, at("out"))).rejects.toMatchObject({ code: "MISSING" });
  expect(readdirSync(folder).sort()).toEqual(["a.tar", "b.tar", "source"]);
});

function writeTar(file: string, entries: Hostile["entries"]): string {
  const blocks: Buffer[] = [];
  for (const { content = "", ...data } of entries) {
    const header = new Header({ mode: 0o644, mtime: new Date(0), ...data, size: content.length });
    header.encode();
    blocks.push(header.block as Buffer);
    if (content !== "") blocks.push(Buffer.concat([Buffer.from(content), Buffer.alloc(512 - content.length)]));
  }
  const bytes = Buffer.concat([...blocks, Buffer.alloc(1024)]);
  writeFileSync(file, bytes);
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
