import { Agent } from "node:http";
import { ask } from "../../../testing/conformance/edge/client.ts";

const tickMs = 10;

/** Requests at a steady rate, whatever happens to those before: half over kept connections, half over new ones. No retries. */
export function startSteadyLoad(port: number, perSecond: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 24 });
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  let answered = 0;
  let sent = 0;
  let watchers: { readonly at: number; readonly wake: () => void }[] = [];
  const one = async (turn: number): Promise<void> => {
    try {
      const answer = await ask(port, turn % 3 === 0 ? "/slow?ms=20" : "/", turn % 2 === 0 ? { agent } : {});
      if (answer.status === 200) answered += 1;
      else failures.push(`${answer.status} ${answer.body}`);
    } catch (error) {
      failures.push(String(error));
    }
    for (const watcher of watchers) if (watcher.at <= answered + failures.length) watcher.wake();
    watchers = watchers.filter((watcher) => watcher.at > answered + failures.length);
  };
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) * perSecond) / 1000);
    for (; sent < due; sent += 1) {
      const request = one(sent);
      open.add(request);
      void request.then(() => open.delete(request));
    }
  }, tickMs);
  return {
    more: (count: number) =>
      new Promise<void>((wake) => {
        watchers.push({ at: answered + failures.length + count, wake });
      }),
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      agent.destroy();
      return { answered, failures };
    },
  };
}
