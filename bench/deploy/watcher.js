// Sees when traffic has moved: asks a front every few milliseconds, over a few connections in turn, and notes which version
// answers. Seldom enough to take little of the machine: it must not measure itself.
import { Agent, request } from "node:http";

const connections = 4;
const usuallyEveryMs = 4;
/** So many answers in a row, from every connection several, until traffic counts as moved. */
const enough = 4 * connections;

/**
 * Begins at once; `moved(version)` resolves with the time of the first answer by the version after which no other came. `failed`
 * counts requests without an answer, and answers of 500 and more.
 */
export function watch(port, { everyMs = usuallyEveryMs } = {}) {
  const agents = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  let turn = 0;
  let row = { version: null, since: 0, answers: 0 };
  let look = () => undefined;
  const counts = { requests: 0, failed: 0 };
  const timer = setInterval(() => {
    turn += 1;
    counts.requests += 1;
    ask(port, agents[turn % connections], ({ version, failed }) => {
      if (failed) counts.failed += 1;
      if (version !== row.version) row = { version, since: performance.now(), answers: 0 };
      row.answers += 1;
      look();
    });
  }, everyMs);
  return {
    counts,
    moved: (version) =>
      new Promise((resolve) => {
        look = () => {
          if (row.version === version && row.answers >= enough) resolve(row.since);
        };
      }),
    stop: () => {
      clearInterval(timer);
      for (const agent of agents) agent.destroy();
    },
  };
}

function ask(port, agent, answered) {
  const asked = request({ host: "127.0.0.1", port, path: "/", agent }, (response) => {
    response.resume();
    const failed = response.statusCode >= 500;
    response.on("end", () => answered({ version: response.headers["x-app-version"] ?? null, failed }));
  });
  asked.on("error", () => answered({ version: null, failed: true }));
  asked.end();
}
