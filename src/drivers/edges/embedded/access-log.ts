import { AppendFile } from "../../../lib/append-file.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";
import type { Exchange } from "./exchange.ts";

/**
 * One JSON line a request, when it is over; `us` is how long it took in microseconds. Paths are without their query, where people put tokens. `release`,
 * `revision` and `instance` are of who answered; `attempts` above 1 shows what a retry has hidden.
 */
export class AccessLog {
  readonly #out: AppendFile;

  constructor(config: NonNullable<EdgeConfig["accessLog"]>) {
    this.#out = new AppendFile(config.file);
  }

  get writtenBytes(): number {
    return this.#out.writtenBytes;
  }

  write(exchange: Exchange, end: { readonly ms: number; readonly aborted: boolean }): void {
    const { head, req, served } = exchange;
    let line = `{"at":"${timestamp(exchange.at)}","us":${Math.round(end.ms * 1000)},"method":"${req.method}","host":${quoted(head.host)},"path":${quoted(exchange.path === "" ? unreadPath(req.url) : exchange.path)},"status":${exchange.status},"bytes":${exchange.bytes},"ip":"${head.clientIp}","trace":"${head.traceId}"`;
    if (exchange.route !== null) line += `,"service":"${exchange.route.service.name}"`;
    if (served !== null)
      line += `,"release":"${served.side.release}","revision":"${served.side.revision.id}","instance":"${served.upstream.instance}","attempts":${exchange.attempts}`;
    if (exchange.code !== "") line += `,"code":"${exchange.code}"`;
    if (end.aborted) line += `,"aborted":true`;
    if (head.userAgent !== "") line += `,"agent":${quoted(head.userAgent)}`;
    this.#out.add(`${line}}\n`);
  }

  flush(): Promise<void> {
    return this.#out.flush();
  }

  reopen(): Promise<void> {
    return this.#out.reopen();
  }
}

/** Of a request that was refused before its path was read: what came, without the query. */
function unreadPath(url = ""): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

const longestText = 2048;

/** As JSON in ASCII. What a client sent is escaped; plain text, the usual case, only gets its quotes. */
function quoted(text: string): string {
  if (text.length <= longestText && !odd.test(text)) return `"${text}"`;
  return JSON.stringify(text.slice(0, longestText)).replace(beyondAscii, escaped);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const odd = /[\x00-\x1f"\\\x7f-\uffff]/;
const beyondAscii = /[\x7f-\uffff]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

let lastSecond = 0;
let lastText = "";

/** Many requests share a second; only the milliseconds are written anew. */
function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  const rest = ms - second * 1000;
  return `${lastText}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
}
