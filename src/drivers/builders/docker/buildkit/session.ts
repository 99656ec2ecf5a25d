import type { Duplex } from "node:stream";
import type { Secret } from "../../../../core/secret.ts";
import type { ContextEntry } from "../context/entries.ts";
import type { LoginOf } from "../job.ts";
import { fileSync } from "./file-sync.ts";
import { type GrpcMethod, GrpcStatus, grpcNotFound, serveGrpc } from "./grpc.ts";
import { fieldsOf, MessageWriter } from "./protobuf.ts";

/** What the engine may ask of us while it builds. */
export type SessionOffers = {
  /** By the name that the Dockerfile's frontend uses: `context` and `dockerfile`. */
  readonly directories: ReadonlyMap<string, readonly ContextEntry[]>;
  readonly secrets: Readonly<Record<string, Secret>>;
  /** For base images that are not public; null asks anonymously. */
  readonly login: LoginOf;
};

const methodsOf = (offers: SessionOffers): ReadonlyMap<string, GrpcMethod> =>
  new Map<string, GrpcMethod>([
    ["/grpc.health.v1.Health/Check", unary(async () => new MessageWriter().number(1, 1).done())],
    ["/moby.filesync.v1.FileSync/DiffCopy", fileSync(offers.directories)],
    ["/moby.buildkit.secrets.v1.Secrets/GetSecret", unary(async (request) => secret(request, offers))],
    ["/moby.filesync.v1.Auth/Credentials", unary((request) => credentials(request, offers))],
  ]);

/**
 * The headers of `POST /session`. The shared key is the session's own id: the engine then never takes files of another build
 * for ours because size and time are the same.
 */
export function sessionHeaders(id: string): Record<string, string | string[]> {
  return {
    "X-Docker-Expose-Session-Uuid": id,
    "X-Docker-Expose-Session-Name": "slipway",
    "X-Docker-Expose-Session-Sharedkey": id,
    "X-Docker-Expose-Session-Grpc-Method": [
      ...methodsOf({ directories: new Map(), secrets: {}, login: async () => null }).keys(),
    ],
  };
}

/**
 * Answers the engine over the connection until that is closed. A secret leaves this process only here, when a `RUN --mount=type=secret` asks
 * for it by name; the engine mounts it in memory.
 */
export function serveSession(connection: Duplex, offers: SessionOffers): void {
  serveGrpc(connection, methodsOf(offers));
}

function unary(reply: (request: Buffer) => Promise<Buffer>): GrpcMethod {
  return async (call) => {
    for await (const request of call.messages) return call.send(await reply(request));
  };
}

function secret(request: Buffer, { secrets }: SessionOffers): Buffer {
  const name = textField(request, 1);
  const found = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  if (found === undefined) throw new GrpcStatus(grpcNotFound, `secret ${name}: not found`);
  return new MessageWriter().bytes(1, Buffer.from(found.reveal(), "utf8")).done();
}

async function credentials(request: Buffer, { login }: SessionOffers): Promise<Buffer> {
  const found = await login(textField(request, 1));
  if (found === null) return Buffer.alloc(0);
  return new MessageWriter().text(1, found.user).text(2, found.password.reveal()).done();
}

function textField(message: Buffer, number: number): string {
  for (const field of fieldsOf(message)) if (field.number === number) return field.bytes.toString("utf8");
  return "";
}
