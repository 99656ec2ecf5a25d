import { parentPort } from "node:worker_threads";
import { type Cell, type Sample, sample } from "./detection/sample.ts";
import { SimDatabase } from "./store.ts";
import { type Told, tell } from "./story.ts";

/** What a thread is asked for; the answer is one message. */
export type Task =
  | { readonly is: "world"; readonly seed: number }
  | { readonly is: "sample"; readonly seed: number; readonly cell: Cell };

export type Answer<T extends Task> = T extends { readonly is: "world" } ? Told : Sample;

// Imported for its types, it is no worker.
if (parentPort !== null) await serve(parentPort);

async function serve(port: NonNullable<typeof parentPort>): Promise<void> {
  // Expected failures are thrown by the thousand here, and nobody reads their stacks.
  Error.stackTraceLimit = 0;
  const database = await SimDatabase.open();
  port.on("message", (task: Task) => {
    const answer =
      task.is === "world" ? tell(task.seed, database, { trace: false }) : sample(task.cell, task.seed, database);
    answer.then(
      (done) => port.postMessage(done),
      (error: unknown) => {
        // A bug of the simulator, not of what it simulates: it ends the thread, and whoever waits for it hears why.
        setImmediate(() => {
          throw new Error(`the ${task.is} of seed ${task.seed} could not be told: ${String(error)}`);
        });
      },
    );
  });
}
