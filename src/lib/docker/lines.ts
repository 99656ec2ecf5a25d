import type { Readable } from "node:stream";
import { DockerError } from "./errors.ts";

const maxLineBytes = 1_048_576;

/** JSON values one after another, a line each: events, progress of pulls and loads. */
export async function* jsonLinesOf(body: Readable): AsyncGenerator<unknown> {
  let rest = "";
  body.setEncoding("utf8");
  for await (const text of body) {
    const lines = (rest + String(text)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLineBytes)
      throw new DockerError("PROTOCOL", "a line of the engine is too long", { call: "stream" });
    for (const line of lines) if (line.trim() !== "") yield parsed(line);
  }
  if (rest.trim() !== "") yield parsed(rest);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DockerError("PROTOCOL", "a line of the engine is no JSON", { call: "stream", cause });
  }
}
