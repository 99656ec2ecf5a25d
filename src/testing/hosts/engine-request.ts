import { type IncomingMessage, request } from "node:http";
import type { Readable } from "node:stream";

/** What the fixture needs of an engine: where to speak to it. */
export type Reachable = { readonly socket: string };

const maxAnswerBytes = 16 * 1024 ** 2;

/** One call to an engine's API past everything that is tested; gives the answer's text. Throws on a status of 400 or more. */
export function engineRequest(
  engine: Reachable,
  method: string,
  path: string,
  body?: { readonly type: string; readonly content: string | Readable },
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: engine.socket,
        method,
        path,
        headers: { ...more, ...(body !== undefined && { "content-type": body.type }) },
      },
      (answer) => {
        textOf(answer).then((text) => {
          if ((answer.statusCode ?? 0) < 400) resolve(text);
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.trim()}`));
        }, reject);
      },
    );
    call.once("error", reject);
    if (body === undefined || typeof body.content === "string") call.end(body?.content);
    else body.content.once("error", (error) => call.destroy(error)).pipe(call);
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  answer.setEncoding("utf8");
  for await (const chunk of answer) {
    text += chunk;
    if (text.length > maxAnswerBytes) throw new Error("the engine's answer is too long");
  }
  return text;
}
