import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { z } from "zod";
import { isSlipwayError, reasonOf, SlipwayError } from "../core/errors/error.ts";
import { environmentName, type InstanceId, releaseId, serviceName } from "../core/ids.ts";
import { openCommand } from "../engine/commands/command.ts";
import type { World } from "../engine/world.ts";
import type { Session } from "../ports/session.ts";
import { commandBody, resizeBody } from "./contract.ts";
import { type CommandFrame, commandProtocol, readFrames, writeFrame } from "./frames.ts";

const maxAtOnce = 32;
const startMs = 5_000;
/** What a person or a script may send; others would end the control plane's own children in ways nobody expects. */
const passedOn: readonly string[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

/**
 * Commands with their streams: `POST /v1/commands` that asks for an upgrade. `mayEnter` judges the token; `onCommand` is
 * called for each that may. When the client goes away
 * the command is ended. Returns what ends all of them.
 */
export function commandServer(
  server: Server,
  world: World,
  {
    mayEnter,
    onCommand,
  }: { readonly mayEnter: (authorization: string | undefined) => boolean; readonly onCommand: () => void },
): () => void {
  const open = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => {});
    const refused = refusalOf(request, open.size, mayEnter(request.headers.authorization));
    if (refused !== null)
      return void socket.end(`HTTP/1.1 ${refused}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    onCommand();
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${commandProtocol}\r\n\r\n`);
    void serve(world, socket, head);
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

function refusalOf({ method, url, headers }: IncomingMessage, open: number, mayEnter: boolean): string | null {
  if (!mayEnter) return "401 Unauthorized";
  if (method !== "POST" || url !== "/v1/commands" || headers.upgrade !== commandProtocol) return "404 Not Found";
  return open >= maxAtOnce ? "503 Service Unavailable" : null;
}

async function serve(world: World, socket: Duplex, head: Buffer): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort(new Error("the client has gone")));
  const late = setTimeout(() => socket.destroy(), startMs);
  const frames = readFrames(socket, head);
  try {
    const first = await frames.next();
    clearTimeout(late);
    if (first.done === true || first.value.kind !== "start") return;
    const body = commandBody.parse(JSON.parse(first.value.data.toString("utf8")));
    const session = await openCommand(
      world,
      {
        ...body,
        environment: environmentName(body.environment),
        service: serviceName(body.service),
        instance: body.instance as InstanceId | null,
        release: body.release === null ? null : releaseId(body.release),
      },
      gone.signal,
    );
    void feed(session, frames, socket);
    for await (const { stream, data } of session.output) await writeFrame(socket, stream, data);
    await writeFrame(socket, "exit", JSON.stringify({ code: await session.exit }));
  } catch (error) {
    if (!gone.signal.aborted) await writeFrame(socket, "error", JSON.stringify(asSlipwayError(world, error).toJSON()));
  } finally {
    clearTimeout(late);
    socket.end();
  }
}

async function feed(session: Session, frames: AsyncIterable<CommandFrame>, socket: Duplex): Promise<void> {
  try {
    for await (const { kind, data } of frames) {
      if (kind === "stdin") await session.write(data);
      else if (kind === "stdin-end") session.end();
      else if (kind === "resize") await session.resize(resizeBody.parse(JSON.parse(data.toString("utf8"))));
      else if (kind === "signal") {
        const name = data.toString("utf8");
        // Where it cannot be passed on, the command is let go of.
        if (passedOn.includes(name) && !(await session.signal(name as NodeJS.Signals))) socket.destroy();
      }
    }
  } catch {
    // What came was no frame: nobody knows what comes next.
  }
  // A client that has ended its side has gone, although the server's half stays open by itself.
  socket.destroy();
}

function asSlipwayError(world: World, error: unknown): SlipwayError {
  if (isSlipwayError(error)) return error;
  if (error instanceof z.ZodError || error instanceof SyntaxError)
    return new SlipwayError("USAGE", { message: "the command is not what this route takes" });
  world.log.error("api.bug", { reason: reasonOf(error), stack: error instanceof Error ? error.stack : null });
  return new SlipwayError("INTERNAL", { message: reasonOf(error), cause: error });
}
