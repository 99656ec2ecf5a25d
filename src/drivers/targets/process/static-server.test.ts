import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../../testing/ports.ts";
import { ContentTags } from "./content-tags.ts";
import { staticServerCommand } from "./static-command.ts";
import { healthPath, isHashedName, isPlainRange } from "./static-handler.ts";

let directory: string;
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "static-"));
  mkdirSync(join(directory, "site", "assets"), { recursive: true });
  writeFileSync(join(directory, "secret.txt"), "not for the public");
  writeFileSync(join(directory, "site", "index.html"), "<h1>home</h1>");
  writeFileSync(join(directory, "site", "page.html"), "page");
  writeFileSync(join(directory, "site", ".env"), "TOKEN=1");
  writeFileSync(join(directory, "site", "app.3f9c2b1a.js"), "hashed");
  writeFileSync(join(directory, "site", "assets", "index-Dk3f9aQx.css"), "hashed");
  writeFileSync(join(directory, "site", "large.bin"), Buffer.alloc(8_000_000, 1));
  ({ server, port } = await start("index.html"));
});

afterAll(async () => {
  server.kill("SIGKILL");
  await once(server, "exit");
  rmSync(directory, { recursive: true, force: true });
});

async function start(fallbackFile: string | null): Promise<{ server: ChildProcess; port: number }> {
  const found = await freePort();
  const [program, ...args] = staticServerCommand(fallbackFile);
  const child = spawn(program ?? "", args, {
    cwd: join(directory, "site"),
    env: { PORT: String(found), HOST: "127.0.0.1" },
    stdio: "ignore",
  });
  for (let i = 0; ; i++) {
    try {
      await fetch(`http://127.0.0.1:${found}${healthPath}`);
      return { server: child, port: found };
    } catch (error) {
      if (i > 500 || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const get = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);

/** As it is on the wire: `fetch` would tidy the path. */
function status(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path }, (response) => resolve(response.resume().statusCode ?? 0))
      .on("error", reject)
      .end();
  });
}

test("serves files, and the fallback for unknown paths without an extension", async () => {
  expect(await (await get("/")).text()).toBe("<h1>home</h1>");
  expect(await (await get("/page")).text()).toBe("page");
  expect(await (await get("/users/7")).text()).toBe("<h1>home</h1>");
  expect((await get("/missing.js")).status).toBe(404);
  const health = await get(healthPath);
  expect([health.status, await health.text()]).toEqual([200, "ok\n"]);
});

test("serves nothing hidden and nothing outside", async () => {
  expect((await get("/.env")).status).toBe(404);
  for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/..\\..\\secret.txt"]) {
    expect(await status(path)).toBe(404);
  }
});

test("only GET and HEAD", async () => {
  const post = await get("/", { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await get("/page.html", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "4", ""]);
});

test("hashed names are kept for ever, others are asked for again and answered by their ETag", async () => {
  expect((await get("/app.3f9c2b1a.js")).headers.get("cache-control")).toBe("public,max-age=31536000,immutable");
  expect((await get("/assets/index-Dk3f9aQx.css")).headers.get("cache-control")).toContain("immutable");
  const page = await get("/page.html");
  expect(page.headers.get("cache-control")).toBe("no-cache");
  const again = await get("/page.html", { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);
});

test("a range is given, and one that makes no sense is ignored instead of ending the program", async () => {
  const part = await get("/page.html", { headers: { range: "bytes=1-2" } });
  expect([part.status, await part.text()]).toEqual([206, "ag"]);
  for (const range of ["bytes=3-1", "bytes=-2", "bytes=x", "bytes=0-1,2-3"]) {
    const whole = await get("/page.html", { headers: { range } });
    expect([range, whole.status, await whole.text()]).toEqual([range, 200, "page"]);
  }
  expect((await get("/page.html", { headers: { range: "bytes=9-" } })).status).toBe(416);
});

test.runIf(process.platform === "linux")("clients that go away leave no file open", async () => {
  const open = () => readdirSync(`/proc/${server.pid}/fd`).length;
  const before = open();
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
  }
  for (let i = 0; open() > before + 2 && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(open()).toBeLessThanOrEqual(before + 2);
});

test("SIGTERM lets an answer under way end, then the program ends by itself", async () => {
  const { server: other, port: otherPort } = await start(null);
  const socket = connect(otherPort, "127.0.0.1");
  socket.write("GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "readable");
  const exited = once(other, "exit");
  other.kill("SIGTERM");
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  expect(bytes).toBeGreaterThan(8_000_000);
  expect(await exited).toEqual([0, null]);
});

test("a fallback file that is not there ends the program at once", async () => {
  await expect(start("nowhere.html")).rejects.toThrow();
});

test("names that hold a digest are told from names that only look long", () => {
  for (const path of [
    "/a.3f9c2b1a.js",
    "/x-0a1b2c3d4e5f6071.css.map",
    "/assets/i-Dk3f9aQx.js",
    "/_next/static/c-9aBcDeF1.js",
  ])
    expect([path, isHashedName(path)]).toEqual([path, true]);
  for (const path of [
    "/jquery-validation.js",
    "/report-20240101.pdf",
    "/annual-report2024.pdf",
    "/index.html",
    "/assets/logo.svg",
  ])
    expect([path, isHashedName(path)]).toEqual([path, false]);
  expect([isPlainRange("bytes=0-"), isPlainRange("bytes=5-9"), isPlainRange("bytes=9-5")]).toEqual([true, true, false]);
});

test("tags a file by its content, so that one which a release has not changed is not sent again", async () => {
  const first = await get("/page");
  const tag = first.headers.get("etag") ?? "";
  expect(tag).toMatch(/^W\/"[\w-]{27}"$/);
  // The same bytes, unpacked again for another release.
  const other = mkdtempSync(join(tmpdir(), "static-"));
  try {
    writeFileSync(join(other, "page.html"), "page");
    writeFileSync(join(other, "changed.html"), "egap");
    utimesSync(join(other, "page.html"), 1, 1);
    const tags = new ContentTags(other);
    expect(tags.of(statSync(join(other, "page.html")))).toBe(tag);
    expect(tags.of(statSync(join(other, "changed.html")))).not.toBe(tag);
  } finally {
    rmSync(other, { recursive: true });
  }
  for (const known of [tag, tag.slice(2), `"x", ${tag}`, "*"]) {
    const again = await get("/page", { headers: { "if-none-match": known } });
    expect([again.status, await again.text(), again.headers.get("etag")], known).toEqual([304, "", tag]);
    expect(again.headers.get("cache-control")).toBe("no-cache");
  }
  expect((await get("/page", { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  // Too large to be read for it.
  expect((await get("/large.bin", { method: "HEAD" })).headers.get("etag")).not.toBeNull();
});
