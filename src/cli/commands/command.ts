import type { CommandBody } from "../../api/contract.ts";
import { commandProtocol, readFrames, writeFrame } from "../../api/frames.ts";
import { fromWire, SlipwayError, type WireError } from "../../core/errors/error.ts";
import { findRelease, type GlobalOptions, type Session, withSession } from "../session.ts";

export type CommandOptions = GlobalOptions & {
  readonly env: string;
  readonly service: string;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  /** Not beside a running one, but in one of its own. */
  readonly fresh?: boolean;
  readonly release?: string;
  readonly instance?: string;
  readonly reason?: string;
};

/** Runs a command beside a running instance, or in a fresh one of a release; its output is ours, and so is its exit code. */
export function execWithStreams(command: readonly string[], options: CommandOptions): Promise<number> {
  if (options.release !== undefined && options.fresh !== true)
    throw new SlipwayError("USAGE", {
      message: "--release is for a fresh instance: one that runs has its release",
      hint: "add --fresh",
    });
  return withSession(options, async (session) => {
    const where = options.fresh === true ? "fresh" : "beside";
    const release = options.release === undefined ? null : await findRelease(session, options.release);
    return converse(session, { ...bodyOf(session, command, options), where, release }, options);
  });
}

function bodyOf(session: Session, command: readonly string[], options: CommandOptions) {
  const { columns, rows } = process.stdout;
  return {
    product: session.product,
    environment: options.env,
    service: options.service,
    instance: options.instance ?? null,
    command: [...command],
    terminal: options.tty === true ? { columns: columns || 80, rows: rows || 24 } : null,
    actor: session.actor,
    reason: options.reason ?? "",
  };
}

/** Of each output, with --json: it is one object. */
const maxJsonChars = 1_048_576;

async function converse(session: Session, body: CommandBody, { interactive, tty }: CommandOptions): Promise<number> {
  const { stdin, stdout, stderr } = process;
  if (tty === true && stdin.isTTY !== true) {
    throw new SlipwayError("USAGE", {
      message: "-t asks for a terminal, and there is none here",
      hint: "leave -t out: -i alone passes the input on",
    });
  }
  const socket = await session.client.upgrade("/v1/commands", commandProtocol);
  socket.on("error", () => {});
  const send = (kind: Parameters<typeof writeFrame>[1], data?: Buffer | string): void =>
    void writeFrame(socket, kind, data);
  send("start", JSON.stringify(body));
  const resized = (): void => send("resize", JSON.stringify({ columns: stdout.columns, rows: stdout.rows }));
  const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => ({ name, on: () => send("signal", name) }));
  const typed = (data: Buffer): void => {
    stdin.pause();
    void writeFrame(socket, "stdin", data).then(() => stdin.resume());
  };
  const ended = (): void => send("stdin-end");
  for (const { name, on } of signals) process.on(name, on);
  if (tty === true) {
    stdin.setRawMode(true);
    stdout.on("resize", resized);
  }
  if (interactive === true) stdin.on("data", typed).on("end", ended);
  else send("stdin-end");
  const isJson = session.out.mode === "json";
  const printed = { stdout: "", stderr: "" };
  try {
    for await (const { kind, data } of readFrames(socket)) {
      if (kind === "stdout" || kind === "stderr") {
        if (isJson) printed[kind] = `${printed[kind]}${data.toString("utf8")}`.slice(0, maxJsonChars);
        else await written(kind === "stdout" ? stdout : stderr, data);
      }
      if (kind === "error") throw fromWire(JSON.parse(data.toString("utf8")) as WireError);
      if (kind === "exit") {
        const { code } = JSON.parse(data.toString("utf8")) as { code: number };
        session.out.json({ code, ...printed });
        return code;
      }
    }
  } finally {
    for (const { name, on } of signals) process.off(name, on);
    stdin.off("data", typed).off("end", ended).pause();
    stdout.off("resize", resized);
    if (tty === true) stdin.setRawMode(false);
    socket.destroy();
  }
  throw new SlipwayError("EXEC_FAILED", {
    message: "the connection ended before the command did",
    hint: "where a signal cannot reach a command, it is let go of; look at: slipway status",
  });
}

function written(to: NodeJS.WriteStream, data: Buffer): Promise<void> {
  return new Promise((resolve) => to.write(data, () => resolve()));
}
