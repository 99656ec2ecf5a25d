import { once } from "node:events";
import type { FastifyReply } from "fastify";
import { isSlipwayError, reasonOf, SlipwayError } from "../core/errors/error.ts";

/** A line at least this often, so that a dead client or a dead control plane is noticed by the other. */
const keepAliveMs = 5_000;

/**
 * Answers with JSON lines, one an item, until the source ends or the client goes. The last line says `{"end":true}`, or
 * carries the error that ended it: a stream that breaks off without it was cut.
 */
export async function streamLines(
  reply: FastifyReply,
  source: (signal: AbortSignal) => AsyncIterable<unknown>,
): Promise<void> {
  const gone = new AbortController();
  reply.raw.on("close", () => gone.abort(new Error("the client has gone")));
  reply.hijack();
  reply.raw.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  reply.raw.flushHeaders();
  const beat = setInterval(() => reply.raw.write("\n"), keepAliveMs);
  const write = async (value: unknown): Promise<void> => {
    if (!reply.raw.write(`${JSON.stringify(value)}\n`)) await once(reply.raw, "drain", { signal: gone.signal });
  };
  try {
    for await (const item of source(gone.signal)) await write({ item });
    await write({ end: true });
  } catch (error) {
    if (!gone.signal.aborted) {
      const known = isSlipwayError(error) ? error : new SlipwayError("INTERNAL", { message: reasonOf(error) });
      await write({ error: known.toJSON() }).catch(() => {});
    }
  } finally {
    clearInterval(beat);
    reply.raw.end();
  }
}
