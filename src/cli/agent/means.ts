import { join } from "node:path";
import { onThisMachine } from "../../engine/pipeline/executors.ts";
import { openSupervisor } from "../../lib/supervisor/client.ts";
import type { Executor } from "../../ports/executor.ts";
import { buildForStep, dockerExecutor, hostExecutor } from "../wire.ts";

/** What an agent runs its steps with, on its own machine. */
export type AgentMeans = {
  readonly executor: Executor;
  /** Why no step with an image can be run now; null when one can. */
  whyNoEngine(): Promise<string | null>;
  close(): Promise<void>;
};

type MeansOptions = {
  readonly directory: string;
  readonly engine: string | null;
  /** No step may read it. */
  readonly tokenFile: string;
};

/** `engine`: of the agent's machine; null: it runs processes only. Steps that a crash has left are found by its directory. */
export async function agentMeans({ directory, engine, tokenFile }: MeansOptions): Promise<AgentMeans> {
  const supervisor = await openSupervisor({ directory: join(directory, "supervisor") });
  const containers = dockerExecutor({
    owner: directory,
    file: join(directory, "step-engines.json"),
    makeImage: buildForStep,
  });
  return {
    executor: onThisMachine({
      host: hostExecutor({ supervisor, hidden: { directory, files: [tokenFile] } }),
      container: containers,
    }),
    whyNoEngine: async () => (engine === null ? "it was started without --engine" : containers.whyAway(engine)),
    close: async () => {
      await containers.close();
      await supervisor.shutdown();
      await supervisor.close();
    },
  };
}
