import { afterEach, beforeEach, describe } from "vitest";
import type { Edge, EdgeConfig, EdgeTarget } from "../../ports/edge.ts";
import { freePort } from "../ports.ts";
import { type Backend, startBackend } from "./edge/backend.ts";
import type { Door } from "./edge/client.ts";
import { countingTests } from "./edge/counting.ts";
import { failureTests } from "./edge/failures.ts";
import { holdAndDrainTests } from "./edge/hold-and-drain.ts";
import { sharingTests } from "./edge/sharing.ts";
import { switchingTests } from "./edge/switching.ts";
import { configOn, table } from "./edge/tables.ts";

/** An edge of its own for one test. `again` makes another object for the same edge, as a restarted control plane would. */
export type EdgeUnderTest = {
  readonly edge: Edge;
  again(): Edge;
  /** Absent on this machine. */
  readonly elsewhere?: Elsewhere;
  /** Ends everything that was started. */
  dispose(): Promise<void>;
};

/** Of an edge on another machine: its own loopback addresses are not those of clients and services, which are in this process. */
export type Elsewhere = {
  /** The machine's: there the edge listens. */
  readonly address: string;
  /** Of this machine as the other sees it: there services listen. */
  readonly services: string;
  /** Has a file be there under the path that it has here, or be gone there when it is gone here. */
  carry(file: string): Promise<void>;
};

/** What a test has at hand: a started edge behind `door`, and two services to route to. */
export type EdgeBench = {
  readonly edge: Edge;
  again(): Edge;
  readonly door: Door;
  readonly config: EdgeConfig;
  readonly a: Backend;
  readonly b: Backend;
  /** Applies the next generation; resolves with its number. */
  route(targets: readonly EdgeTarget[], changes?: Parameters<typeof table>[2]): Promise<number>;
  /** One more service, closed after the test. */
  backend(label: string): Promise<Backend>;
};

/**
 * What every edge must do, on real sockets: `edgeConformance("caddy", makeEdge)`. A capability that an edge does not have
 * (`can`) skips its tests; everything else is for all. Where the same edge is only reached in another way, `sharing` may be left
 * out: who gets which revision is decided by the table alone.
 */
export function edgeConformance(
  name: string,
  makeEdge: () => Promise<EdgeUnderTest>,
  { sharing = true }: { readonly sharing?: boolean } = {},
): void {
  describe(`an edge: ${name}`, () => {
    let bench: EdgeBench | null = null;
    let undo: (() => Promise<void>)[] = [];

    beforeEach(async () => {
      const made = await makeEdge();
      undo.push(() => made.dispose());
      const backend: EdgeBench["backend"] = async (label) => {
        const started = await startBackend(label, made.elsewhere?.services);
        undo.push(() => started.close());
        return started;
      };
      const door = { host: made.elsewhere?.address ?? "127.0.0.1", port: await freePort() };
      const config = configOn(door);
      await made.edge.start(config);
      let generation = 0;
      bench = {
        ...made,
        door,
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
    if (sharing) sharingTests(at);
    holdAndDrainTests(at);
    failureTests(at);
    countingTests(at);
  });
}
