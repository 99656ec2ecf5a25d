import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fromWire } from "../../core/errors/error.ts";
import type { Engine } from "../../ports/engine.ts";
import { type Call, killAtVariable, type Reply, type Request } from "./child.ts";
import type { Place } from "./harness.ts";

export type Child = {
  readonly engine: Pick<Engine, Call>;
  readonly process: ChildProcess;
  /** Resolves when the process is gone, with the signal that ended it. */
  readonly gone: Promise<NodeJS.Signals | null>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Closes engine and store, and lets the process end. */
  stop(): Promise<void>;
};

/** Starts the harness's program. Rejects with its error when it could not open the place. */
export async function startChild(place: Place, options: { readonly killAt?: number } = {}): Promise<Child> {
  const { file, args } = place.child;
  const env = { ...process.env, [killAtVariable]: String(options.killAt ?? 0) };
  const child = fork(file, [...args], { env, stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
  const gone = once(child, "exit").then(([, signal]) => signal as NodeJS.Signals | null);
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  child.on("message", ({ number, result, error }: Reply) => {
    const call = open.get(number);
    open.delete(number);
    if (error === undefined) call?.resolve(result);
    else call?.reject(fromWire(error));
  });
  void gone.then((signal) => {
    for (const call of open.values()) call.reject(new Error(`the process ended (${signal})`));
  });
  const reply = (number: number) => new Promise<unknown>((resolve, reject) => open.set(number, { resolve, reject }));
  let calls = 0;
  const call = async (name: Call, ...args: unknown[]): Promise<unknown> => {
    const number = ++calls;
    const answered = reply(number);
    if (child.connected) child.send({ number, call: name, args } satisfies Request, () => {});
    else throw new Error("the process has ended");
    return await answered;
  };
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await gone;
  };
  try {
    await reply(0);
  } catch (error) {
    await kill();
    throw error;
  }
  const names: readonly Call[] = ["open", "start", "signal", "cancel", "schedule", "get", "ended", "close"];
  const verbs = names.map((name) => [name, (...args: unknown[]) => call(name, ...args)] as const);
  return {
    engine: Object.fromEntries(verbs) as unknown as Pick<Engine, Call>,
    process: child,
    gone,
    kill,
    stop: async () => {
      await call("close");
      child.disconnect();
      await gone;
    },
  };
}
