import { type FlagDocument, flagDocument, mostDocumentBytes } from "../core/flags/document.ts";

export type Asked = { readonly document: FlagDocument; readonly tag: string } | "unchanged";

/** Longer than a control plane waits with its answer. */
const graceMs = 10_000;

/** Asks once; with a tag it waits for news, as long as `waitMs`. Rejects when nobody answers, or not with flags. */
export async function ask(
  at: { readonly url: string; readonly token: string; readonly tag: string | null; readonly waitMs: number },
  signal: AbortSignal,
): Promise<Asked> {
  const { url, token, tag, waitMs } = at;
  const response = await fetch(`${url}?wait=${Math.round(waitMs / 1_000)}`, {
    headers: { authorization: `Bearer ${token}`, ...(tag === null ? {} : { "if-none-match": tag }) },
    // The token is for nobody else.
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(waitMs + graceMs)]),
  });
  if (response.status === 304) return "unchanged";
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the control plane answered ${response.status}`);
  }
  const document = flagDocument.parse(JSON.parse(await textOf(response)));
  return { document, tag: response.headers.get("etag") ?? "" };
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > mostDocumentBytes) throw new Error(`the answer is larger than ${mostDocumentBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
