import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isSlipwayError, reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { RevisionId } from "../../../core/ids.ts";
import type { CertificateStatus, Edge, EdgeConfig, EdgeSample, RouteTable } from "../../../ports/edge.ts";

const maxBodyBytes = 32_000_000;
/** With the 100 ms in which workers report, no count is older than 200 ms. */
const sampleEveryMs = 100;

/** What the primary does; the same calls as the port's, one process away. */
export type Control = {
  status(): unknown;
  start(config: EdgeConfig, fresh: boolean): Promise<void>;
  apply(table: RouteTable): Promise<void>;
  current(): RouteTable | null;
  hold(service: string, until: Parameters<Edge["hold"]>[1]): Promise<void>;
  drain(revision: RevisionId, limits: { timeoutMs: number; streamLimitMs: number }): Promise<number>;
  sample(): EdgeSample;
  certificates(): Promise<readonly CertificateStatus[]>;
  stop(graceMs: number): Promise<void>;
};

/** The HTTP side of the control socket. Who may open the socket may do everything: it is the user's own, mode 0600. */
export function controlServer(control: Control): Server {
  // A caller's idle connection is kept until one of the two ends: 0 is no limit.
  return createServer({ keepAliveTimeout: 0 }, (req, res) => {
    answer(control, req, res).catch((error: unknown) => {
      const wire = isSlipwayError(error)
        ? error
        : new SlipwayError("INTERNAL", { message: `The edge failed: ${reasonOf(error)}`, cause: error });
      if (!res.headersSent) reply(res, wire.httpStatus, wire);
      else res.destroy();
    });
  });
}

async function answer(control: Control, req: IncomingMessage, res: ServerResponse): Promise<void> {
  switch (`${req.method} ${req.url}`) {
    case "GET /status":
      return reply(res, 200, control.status());
    case "GET /table":
      return reply(res, 200, control.current());
    case "GET /certificates":
      return reply(res, 200, await control.certificates());
    case "GET /samples":
      return streamSamples(control, res);
    case "POST /start": {
      const { config, fresh } = (await body(req)) as { config: EdgeConfig; fresh: boolean };
      return reply(res, 200, await control.start(config, fresh));
    }
    case "POST /table":
      return reply(res, 200, await control.apply((await body(req)) as RouteTable));
    case "POST /hold": {
      const { service, until } = (await body(req)) as { service: string; until: Parameters<Edge["hold"]>[1] };
      return reply(res, 200, await control.hold(service, until));
    }
    case "POST /drain": {
      const { revision, timeoutMs, streamLimitMs } = (await body(req)) as {
        revision: RevisionId;
        timeoutMs: number;
        streamLimitMs: number;
      };
      return reply(res, 200, { inflight: await control.drain(revision, { timeoutMs, streamLimitMs }) });
    }
    case "POST /stop": {
      const { graceMs } = (await body(req)) as { graceMs: number };
      await control.stop(graceMs);
      return reply(res, 200, null);
    }
    default:
      throw new SlipwayError("NOT_FOUND", { message: `The edge has no ${req.method} ${req.url}` });
  }
}

function reply(res: ServerResponse, status: number, value: unknown): void {
  res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value ?? null));
}

async function body(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes)
      throw new SlipwayError("BODY_TOO_LARGE", { message: "The call to the edge is too large" });
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

/** A line a sample. A reader that does not read misses samples and slows nothing: only the newest is ever of use. */
function streamSamples(control: Control, res: ServerResponse): void {
  res.writeHead(200, { "Content-Type": "application/x-ndjson" });
  const write = (): void => {
    if (!res.writableNeedDrain) res.write(`${JSON.stringify(control.sample())}\n`);
  };
  write();
  const timer = setInterval(write, sampleEveryMs);
  res.on("close", () => clearInterval(timer));
}
