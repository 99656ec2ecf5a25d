import { isSlipwayError, SlipwayError, type WireError } from "../../core/errors/error.ts";
import type { Engine } from "../../ports/engine.ts";
import type { OnBoundary, OpenPlace } from "./harness.ts";
import { program, programKind } from "./program.ts";

/** What a test may ask of an engine in another process. */
export type Call = "open" | "start" | "signal" | "cancel" | "schedule" | "get" | "ended" | "close";
export type Request = { readonly number: number; readonly call: Call; readonly args: readonly unknown[] };
export type Reply = { readonly number: number; readonly result?: unknown; readonly error?: WireError };

/** Environment variable: the process kills itself with SIGKILL at this boundary, counted from 1. */
export const killAtVariable = "SLIPWAY_TEST_KILL_AT";

/**
 * Serves an engine over the IPC channel of `fork`, until the channel closes. Sends `ready`, or the error, when the place has been opened.
 */
export async function serveChild(open: () => Promise<OpenPlace>): Promise<void> {
  // A test that was stopped must not leave its children behind.
  process.on("disconnect", () => process.exit(1));
  try {
    const place = await open();
    const engine = place.engine({ onBoundary: killer(Number(process.env[killAtVariable] ?? 0)) });
    engine.register(programKind, program);
    process.on("message", (request: Request) => {
      void answer(engine, request).then(async (reply) => {
        if (request.call === "close") await place.close();
        process.send?.(reply);
      });
    });
    process.send?.({ number: 0 } satisfies Reply);
  } catch (error) {
    process.send?.({ number: 0, error: wire(error) } satisfies Reply);
  }
}

function killer(killAt: number): OnBoundary {
  let count = 0;
  return () => {
    if (++count === killAt) process.kill(process.pid, "SIGKILL");
  };
}

async function answer(engine: Engine, { number, call, args }: Request): Promise<Reply> {
  try {
    const method = engine[call].bind(engine) as (...args: readonly unknown[]) => Promise<unknown>;
    return { number, result: await method(...args) };
  } catch (error) {
    return { number, error: wire(error) };
  }
}

function wire(error: unknown): WireError {
  const known = isSlipwayError(error) ? error : new SlipwayError("INTERNAL", { message: String(error) });
  return known.toJSON();
}
