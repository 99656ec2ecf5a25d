import type { IncomingMessage, ServerResponse } from "node:http";
import sirv from "sirv";
import { ContentTags, isNamed } from "./content-tags.ts";

export const healthPath = "/.slipway/health";

const yearS = 31_536_000;

/**
 * Whether the name holds a digest of its content, as bundlers write it: `app.3f9c2b1a.js` (hexadecimal) anywhere; other alphabets,
 * `index-Dk3f_9aQ.css`, only in the directories where bundlers put them, because elsewhere `report2024.pdf` looks the same.
 */
export function isHashedName(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const hash = /[.-]([A-Za-z0-9_-]{8,64})\.[A-Za-z0-9]+(?:\.map)?$/.exec(name)?.[1];
  if (hash === undefined || !/\d/.test(hash) || !/[A-Za-z]/.test(hash)) return false;
  return /^[a-f0-9]+$/.test(hash) || (hash.length <= 12 && /\/(?:assets|static|_next|_app|chunks)\//.test(path));
}

/** Ranges that are passed on; others are ignored, as RFC 9110 §14.2 allows, and the whole is sent. */
export function isPlainRange(range: string, size = Number.MAX_SAFE_INTEGER): boolean {
  const match = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(range);
  if (match === null) return false;
  const from = Number(match[1]);
  const to = match[2] === "" ? size : Number(match[2]);
  return from <= to && to > 0;
}

/** Thrown out of `sirv` when it has found the file, and the client turns out to have it already. */
class Unchanged extends Error {}

export function staticHandler(directory: string, fallbackFile: string | null) {
  const tags = new ContentTags(directory);
  const serve = sirv(directory, {
    // Its own is made of the time of unpacking, which is another for every release.
    etag: false,
    dotfiles: false,
    gzip: true,
    brotli: true,
    ...(fallbackFile !== null && { single: fallbackFile, ignores: [/\/\./] }), // hidden names are no pages
    setHeaders: (response, path, stats) => {
      const tag = tags.of(stats);
      response.setHeader("ETag", tag);
      response.setHeader("Cache-Control", isHashedName(path) ? `public,max-age=${yearS},immutable` : "no-cache");
      response.setHeader("X-Content-Type-Options", "nosniff");
      if (isNamed(tag, response.req.headers["if-none-match"])) throw new Unchanged();
    },
  });
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { Allow: "GET, HEAD", "Content-Length": 0 }).end();
      return;
    }
    if (request.url === healthPath) {
      response.writeHead(200, { "Content-Type": "text/plain", "Cache-Control": "no-store" }).end("ok\n");
      return;
    }
    // sirv throws on `bytes=5-2`, and sends the first bytes for `bytes=-5`.
    if (request.headers.range !== undefined && !isPlainRange(request.headers.range)) delete request.headers.range;
    // sirv leaves its file open when the client goes away, and a file that cannot be read would end the program.
    response.on("pipe", (file: NodeJS.ReadableStream & { destroy(): void }) => {
      file.on("error", () => response.destroy());
      response.on("close", () => file.destroy());
    });
    try {
      serve(request, response, () => {
        response.writeHead(404, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache" });
        response.end("not found\n");
      });
    } catch (error) {
      if (!(error instanceof Unchanged)) throw error;
      response.writeHead(304).end();
    }
  };
}
