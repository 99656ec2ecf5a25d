import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Json } from "../../core/ids.ts";
import type { Engine, Workflow } from "../../ports/engine.ts";
import type { Store } from "../../ports/store.ts";
import { type Child, startChild } from "./child-client.ts";
import type { EngineHarness, OnBoundary, Place } from "./harness.ts";
import { type Act, attemptsIn, program, programKind } from "./program.ts";

export type Running = { readonly engine: Engine; readonly store: Store; close(): Promise<void> };

type Options = {
  readonly onBoundary?: OnBoundary;
  /** Kinds besides the program. */
  readonly kinds?: Readonly<Record<string, Workflow>>;
  /** False: registered, but not opened. */
  readonly open?: boolean;
};

/** One test's place, outside world, engines and processes; all of it is gone when the test has ended. */
export type Scene = {
  readonly place: Place;
  /** The file in which steps leave their attempts. */
  readonly file: string;
  input(...acts: Act[]): Json;
  attempts(id: string): { readonly key: string; readonly name: string; readonly note: string }[];
  here(options?: Options): Promise<Running>;
  child(options?: { readonly killAt?: number }): Promise<Child>;
};

export async function setScene(harness: EngineHarness): Promise<Scene> {
  const place = await harness.place();
  const file = join(tmpdir(), `slipway-attempts-${randomUUID()}`);
  const open = new Set<() => Promise<void>>();
  onTestFinished(async () => {
    await Promise.all([...open].map((close) => close()));
    await place.remove();
    await rm(file, { force: true });
  });
  return {
    place,
    file,
    input: (...acts) => ({ file, acts }) as unknown as Json,
    attempts: (id) => attemptsIn(file).filter(({ key }) => key.startsWith(`${id}/`)),
    here: async ({ onBoundary, kinds = {}, open: opens = true } = {}) => {
      const opened = await place.open();
      const engine = opened.engine(onBoundary === undefined ? {} : { onBoundary });
      engine.register(programKind, program);
      for (const [kind, workflow] of Object.entries(kinds)) engine.register(kind, workflow);
      const close = async (): Promise<void> => {
        if (!open.delete(close)) return;
        await engine.close();
        await opened.close();
      };
      open.add(close);
      if (opens) await engine.open();
      return { engine, store: opened.store, close };
    },
    child: async (options = {}) => {
      const child = await startChild(place, options);
      const kill = (): Promise<void> => child.kill();
      open.add(kill);
      void child.gone.then(() => open.delete(kill));
      return child;
    },
  };
}

/** Looks again and again; patient, because the machine may be busy. */
export function eventually<T>(look: () => T): ReturnType<typeof expect.poll> {
  return expect.poll(look, { timeout: 60_000, interval: 5 });
}
