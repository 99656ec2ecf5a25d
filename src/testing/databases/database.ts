import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnTied } from "../hosts/parts.ts";
import { freePort } from "../ports.ts";

/** A real server of one test file, on this machine's loopback, with a directory of its own. */
export type Database = {
  readonly port: number;
  readonly directory: string;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Ends it and removes what it kept. */
  down(): Promise<void>;
};

export type Program = {
  readonly name: string;
  /** Makes what it needs, once. */
  readonly prepare?: (directory: string) => Promise<void>;
  readonly command: (directory: string, port: number) => readonly string[];
};

const startMs = 30_000;
const lookMs = 20;

export async function startDatabase({ name, prepare, command }: Program): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), `slipway-${name}-`));
  await prepare?.(directory);
  const port = await freePort();
  let child: ReturnType<typeof spawnTied> | null = null;
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  };
  const start = async (): Promise<void> => {
    let said = "";
    const started = spawnTied(command(directory, port), { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [started.stdout, started.stderr])
      stream?.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4_000);
      });
    child = started;
    const until = performance.now() + startMs;
    while (!(await accepts(port))) {
      if (started.exitCode !== null || performance.now() > until) throw new Error(`${name} did not start: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  };
  const down = async (): Promise<void> => {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await down();
    throw error;
  }
  return { port, directory, kill, start, down };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  const connected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  socket.destroy();
  return connected;
}
