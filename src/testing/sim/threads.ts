import { Worker } from "node:worker_threads";
import { compiledFile } from "../../lib/entry.ts";
import type { Answer, Task } from "./worker.ts";

/** Room for what is young: a world is garbage when it is over. */
const youngMb = 48;

/**
 * Does tasks in threads of their own, each thread one at a time, until there is no next one. `done` is called in the order in which
 * they end. Rejects with the first that fails.
 */
export async function inThreads<T extends Task>(
  workers: number,
  next: () => T | null,
  done: (task: T, answer: Answer<T>) => void,
): Promise<void> {
  await Promise.all(
    Array.from({ length: workers }, async () => {
      const worker = new Worker(compiledFile(import.meta.url, "./worker.ts"), {
        resourceLimits: { maxYoungGenerationSizeMb: youngMb },
      });
      try {
        for (let task = next(); task !== null; task = next()) done(task, await answerOf(worker, task));
      } finally {
        await worker.terminate();
      }
    }),
  );
}

function answerOf<T extends Task>(worker: Worker, task: T): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      worker.off("message", answered);
      reject(error);
    };
    const answered = (answer: Answer<T>): void => {
      worker.off("error", failed);
      resolve(answer);
    };
    worker.once("error", failed);
    worker.once("message", answered);
    worker.postMessage(task);
  });
}
