import type { Digest, InstanceId } from "../../core/ids.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { type TargetHarness, targetConformance } from "../conformance/target.ts";
import { Life } from "./life.ts";
import { Machine } from "./machine.ts";
import type { Program } from "./service.ts";
import { makePlace, simTarget } from "./target.ts";
import { Timeline } from "./timeline.ts";

const digest: Digest = `sha256:${"a".repeat(64)}`;

/** The suite's program, by its command: `node app.cjs serve`. */
function programOf({ command }: RevisionSpec): Program {
  const [, , mode, code] = command;
  const program: Program = { readyMs: 20, stopMs: 5, baseErrors: 0, latencyMs: 1, ailment: { is: "none" } };
  switch (mode) {
    case "crash":
      return { ...program, ailment: { is: "dead-on-start", code: 7 }, says: { stream: "stderr", text: "it broke" } };
    case "job": {
      const says = { stream: "stdout", text: "working" } as const;
      return code === "0"
        ? { ...program, says }
        : { ...program, says, ailment: { is: "job-fails", code: Number(code) } };
    }
    default:
      return program;
  }
}

async function makeHarness(): Promise<TargetHarness> {
  const timeline = new Timeline();
  const machine = new Machine({
    timeline,
    hosts: 1,
    programOf,
    requestCpuMs: null,
    shared: () => 0,
    beforeChange: () => {},
    onCut: () => {},
    tell: () => {},
  });
  const place = makePlace({ machine, timeline, has: (known) => known === digest });
  let closed = false;
  // Its time passes as fast as whatever waits for it allows.
  const passing = (async () => {
    while (!closed) {
      await timeline.run(() => closed, timeline.nowMs + 100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const find = (id: InstanceId) =>
    [...machine.revisions.values()].flatMap(({ instances }) => [...instances.values()]).find((each) => each.id === id);
  return {
    open: async (product) => simTarget(place, new Life(1), product),
    ensureAndDie: async (product, spec, instances) => {
      const life = new Life(2);
      await simTarget(place, life, product).ensure(spec, instances, new AbortController().signal);
      life.end();
    },
    virtual: {
      artifact: { kind: "directory", digest, file: "/nowhere" },
      ask: async (address) => {
        const instance = machine.at(address ?? "");
        if (!machine.isListening(instance)) throw new Error(`nobody listens at ${address}`);
        return { pid: instance.pid ?? 0, instance: instance.id };
      },
      kill: (id) => {
        const instance = find(id);
        if (instance !== undefined) machine.strike(instance);
      },
    },
    leftovers: async () => [...machine.revisions.keys()],
    close: async () => {
      closed = true;
      await passing;
    },
  };
}

targetConformance("simulated", makeHarness);
