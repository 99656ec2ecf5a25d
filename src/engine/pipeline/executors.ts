import type { Executor } from "../../ports/executor.ts";

/** Steps with an image run in a container, the others as processes. */
export function onThisMachine({
  host,
  container,
}: {
  readonly host: Executor;
  readonly container: Executor;
}): Executor {
  return {
    name: [host, container].map(({ name }) => name).join(" or "),
    run: (job, onOutput, signal) => (job.container === null ? host : container).run(job, onOutput, signal),
    stop: async (labels) => {
      await host.stop(labels);
      await container.stop(labels);
    },
    running: async () => [...(await host.running()), ...(await container.running())],
    unfenced: () => host.unfenced(),
  };
}

/** Steps for other machines go to agents, the rest stay here. */
export function executorOf({ here, agents }: { readonly here: Executor; readonly agents: Executor }): Executor {
  return {
    name: [here, agents].map(({ name }) => name).join(" or "),
    run: (job, onOutput, signal) => (job.away === null ? here : agents).run(job, onOutput, signal),
    stop: async (labels) => {
      await here.stop(labels);
      await agents.stop(labels);
    },
    running: () => here.running(),
    unfenced: () => here.unfenced(),
  };
}
