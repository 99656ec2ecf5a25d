import type { Readable } from "node:stream";

/** Longest line of an engine's answer; BuildKit's trace comes in pieces far below. */
const maxLineBytes = 16 * 1024 * 1024;

/** One line of the answer of `POST /build`, as far as it is told to anybody. */
export type Answer =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "trace"; readonly status: Buffer }
  | { readonly is: "image"; readonly id: string }
  | { readonly is: "failed"; readonly why: string };

/** The engine's answer, line by line; what it is not about is left out. Throws when a line is none or has no end. */
export async function* answersOf(body: Readable): AsyncGenerator<Answer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const answer = read(Buffer.concat([...rest, chunk.subarray(from, end)]).toString("utf8"));
      if (answer !== null) yield answer;
      [rest, restBytes, from] = [[], 0, end + 1];
    }
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > maxLineBytes) throw new Error("the engine's answer has a line without an end");
  }
  const last = read(Buffer.concat(rest).toString("utf8"));
  if (last !== null) yield last;
}

function read(line: string): Answer | null {
  if (line.trim() === "") return null;
  const answer = JSON.parse(line) as Record<string, unknown>;
  const detail = answer.errorDetail as { readonly message?: unknown } | undefined;
  if (typeof answer.error === "string" || detail !== undefined) {
    return { is: "failed", why: String(detail?.message ?? answer.error) };
  }
  if (answer.id === "moby.buildkit.trace" && typeof answer.aux === "string") {
    return { is: "trace", status: Buffer.from(answer.aux, "base64") };
  }
  const id = (answer.aux as { readonly ID?: unknown } | undefined)?.ID;
  if (typeof id === "string") return { is: "image", id };
  if (typeof answer.stream === "string") return { is: "text", text: answer.stream };
  if (typeof answer.status === "string" && answer.progressDetail === undefined)
    return { is: "text", text: answer.status };
  return null;
}
