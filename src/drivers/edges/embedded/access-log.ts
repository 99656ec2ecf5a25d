import { AppendFile } from "../../../lib/append-file.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";
import type { Exchange } from "./exchange.ts";

/**
 * One JSON line a request, when it is over. Paths are without their query, where people put tokens. `release`,
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
    let line = `{"at":"${timestamp(exchange.at)}","ms":${end.ms.toFixed(2)},"method":"${req.method}","host":${quoted(head.host)},"path":${quoted(exchange.path)},"status":${exchange.status},"bytes":${exchange.bytes},"ip":"${head.clientIp}","trace":"${head.traceId}"`;
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

const longestText = 2048;

/** As JSON. What a client sent is escaped; plain text, the usual case, only gets its quotes. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (text.length <= longestText && !/[\x00-\x1f"\\\x7f-\uffff]/.test(text)) return `"${text}"`;
  return JSON.stringify(text.slice(0, longestText));
}

let lastMs = 0;
let lastText = "";

/** Many requests share a millisecond. */
function timestamp(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}
