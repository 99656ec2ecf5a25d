// Sees when traffic has moved: asks a front again and again over a few connections, and notes which version answers.
import { Agent, request } from "node:http";

const connections = 4;
const pauseMs = 3;

/** Begins at once; `all(version)` resolves with the time at which the last connection had its first answer by the version. */
export function watch(port) {
  let over = false;
  const seen = Array.from({ length: connections }, () => new Map());
  const waiting = new Set();
  const loops = seen.map(async (first) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!over) {
      const version = await ask(port, agent).catch(() => null);
      if (version !== null && !first.has(version)) {
        first.set(version, performance.now());
        for (const look of waiting) look();
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    agent.destroy();
  });
  return {
    all: (version) =>
      new Promise((resolve) => {
        const look = () => {
          if (!seen.every((first) => first.has(version))) return;
          waiting.delete(look);
          resolve(Math.max(...seen.map((first) => first.get(version))));
        };
        waiting.add(look);
        look();
      }),
    stop: async () => {
      over = true;
      await Promise.all(loops);
    },
  };
}

function ask(port, agent) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path: "/", agent }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.headers["x-app-version"] ?? null));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}
