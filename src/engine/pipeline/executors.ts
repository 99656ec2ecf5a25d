import type { Executor } from "../../ports/executor.ts";

/** Steps with an image run in a container, the others as processes. */
export function executorOf({ host, container }: { readonly host: Executor; readonly container: Executor }): Executor {
  return {
    name: `${host.name} or ${container.name}`,
    run: (job, onOutput, signal) => (job.container === null ? host : container).run(job, onOutput, signal),
    stop: async (labels) => {
      await host.stop(labels);
      await container.stop(labels);
    },
    running: async () => [...(await host.running()), ...(await container.running())],
  };
}
