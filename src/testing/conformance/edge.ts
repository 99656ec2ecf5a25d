import { afterEach, beforeEach, describe } from "vitest";
import type { Edge, EdgeConfig, EdgeTarget } from "../../ports/edge.ts";
import { freePort } from "../ports.ts";
import { type Backend, startBackend } from "./edge/backend.ts";
import { countingTests } from "./edge/counting.ts";
import { failureTests } from "./edge/failures.ts";
import { holdAndDrainTests } from "./edge/hold-and-drain.ts";
import { switchingTests } from "./edge/switching.ts";
import { configOn, table } from "./edge/tables.ts";

/** An edge of its own for one test. `again` makes another object for the same edge, as a restarted control plane would. */
export type EdgeUnderTest = {
  readonly edge: Edge;
  again(): Edge;
  /** Ends everything that was started. */
  dispose(): Promise<void>;
};

/** What a test has at hand: a started edge on `port`, and two services to route to. */
export type EdgeBench = {
  readonly edge: Edge;
  again(): Edge;
  readonly port: number;
  readonly config: EdgeConfig;
  readonly a: Backend;
  readonly b: Backend;
  /** Applies the next generation; resolves with its number. */
  route(targets: readonly EdgeTarget[], changes?: Parameters<typeof table>[2]): Promise<number>;
  /** One more service, closed after the test. */
  backend(label: string, port?: number): Promise<Backend>;
};

/**
 * What every edge must do, on real sockets: `edgeConformance("caddy", makeEdge)`. A capability that an edge does not have
 * (`can`) skips its tests; everything else is for all.
 */
export function edgeConformance(name: string, makeEdge: () => Promise<EdgeUnderTest>): void {
  describe(`an edge: ${name}`, () => {
    let bench: EdgeBench | null = null;
    let undo: (() => Promise<void>)[] = [];

    beforeEach(async () => {
      const made = await makeEdge();
      undo.push(() => made.dispose());
      const backend: EdgeBench["backend"] = async (label, port) => {
        const started = await startBackend(label, port);
        undo.push(() => started.close());
        return started;
      };
      const port = await freePort();
      const config = configOn(port);
      await made.edge.start(config);
      let generation = 0;
      bench = {
        ...made,
        port,
        config,
        a: await backend("a"),
        b: await backend("b"),
        backend,
        async route(targets, changes) {
          generation += 1;
          await made.edge.apply(table(generation, targets, changes));
          return generation;
        },
      };
    });

    afterEach(async () => {
      for (const one of undo.reverse()) await one();
      undo = [];
      bench = null;
    });

    const at = (): EdgeBench => {
      if (bench === null) throw new Error("outside of a test");
      return bench;
    };
    switchingTests(at);
    holdAndDrainTests(at);
    failureTests(at);
    countingTests(at);
  });
}
