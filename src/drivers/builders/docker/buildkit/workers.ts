import { type ClientHttp2Stream, connect } from "node:http2";
import type { Duplex } from "node:stream";
import type { Docker } from "../../../../lib/docker/docker.ts";
import { isRefusal } from "../../../../lib/docker/errors.ts";
import { fieldsOf } from "./protobuf.ts";

const maxAnswerBytes = 1024 * 1024;

/** What the engine's BuildKit can build for, `os/arch[/variant]`, its own first. Errors: DockerError when it has no BuildKit. */
export async function buildKitPlatforms(docker: Docker, signal: AbortSignal): Promise<readonly string[]> {
  const connection = await docker.hijack({ method: "POST", path: "/grpc", signal }, "h2c");
  try {
    return platformsOf(await call(connection, "/moby.buildkit.v1.Control/ListWorkers", signal));
  } finally {
    connection.destroy();
  }
}

/** Whether that failure says that there is no BuildKit: other programs that speak the API have no such path. */
export function saysNoBuildKit(error: unknown): boolean {
  return [400, 404, 405, 501].some((status) => isRefusal(error, status));
}

/** A call with an empty message; the message that is answered. */
async function call(connection: Duplex, path: string, signal: AbortSignal): Promise<Buffer> {
  const session = connect("http://docker", { createConnection: () => connection });
  session.on("error", () => undefined); // told by the stream as well
  try {
    const stream = session.request(
      { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" },
      { signal },
    );
    stream.end(Buffer.alloc(5));
    return await messageOf(stream);
  } finally {
    session.destroy();
  }
}

async function messageOf(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new RangeError("the engine's list of workers is too long");
  }
  return Buffer.concat(chunks).subarray(5);
}

function platformsOf(answer: Buffer): readonly string[] {
  const platforms = new Set<string>();
  for (const worker of fieldsOf(answer)) {
    if (worker.number !== 1) continue;
    for (const field of fieldsOf(worker.bytes)) if (field.number === 3) platforms.add(platformOf(field.bytes));
  }
  return [...platforms];
}

function platformOf(message: Buffer): string {
  const parts = ["", "", ""];
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) parts[1] = bytes.toString("utf8");
    if (number === 2) parts[0] = bytes.toString("utf8");
    if (number === 3) parts[2] = bytes.toString("utf8");
  }
  return parts.filter((part) => part !== "").join("/");
}
