import { createServer } from "node:net";

/** Why nobody could listen there now, in the system's word (`EADDRINUSE`); null: one can. Found out by listening for a moment. */
export function listenTrouble({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "UNKNOWN"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
