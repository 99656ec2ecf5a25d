import { connect } from "node:net";

/** Sends bytes as they are and resolves with everything that came back when the connection is over, or idle for `idleMs`. */
export function sendRaw(port: number, text: string | readonly string[], { idleMs = 400 } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    const done = (): void => {
      socket.destroy();
      resolve(received);
    };
    socket.setTimeout(idleMs, done);
    socket.setEncoding("latin1");
    socket.on("data", (piece) => {
      received += piece;
    });
    socket.on("error", done).on("close", done);
    for (const piece of typeof text === "string" ? [text] : text) socket.write(piece, "latin1");
  });
}

/** The status of each answer in what came back. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
