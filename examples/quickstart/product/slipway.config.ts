import { defineProduct } from "slipway";

export default defineProduct({
  name: "quickstart",
  services: {
    api: {
      kind: "web",
      path: "api",
      command: ["node", "server.js"],
      instances: 2,
      routes: ["/api"],
      health: { path: "/api/health", body: { status: "healthy" }, interval: "250ms", timeout: "1s", deadline: "4s" },
      env: { GREETING: "Hello" },
      // What a commit has to pass before it becomes a release: all six versions do.
      pipeline: { steps: { unit: { command: ["node", "--test", "--test-force-exit"], inputs: ["**"] } } },
    },
    web: {
      kind: "web",
      path: "web",
      command: ["node", "server.js"],
      instances: 2,
      needs: ["api"],
      routes: ["/"],
      health: { path: "/up", interval: "250ms", deadline: "4s" },
    },
    worker: {
      kind: "worker",
      path: "worker",
      command: ["node", "worker.js"],
      needs: ["api"],
      health: { startPeriod: "300ms", deadline: "4s" },
    },
  },
  // Short, so that the quickstart is: a real product watches for minutes.
  rollout: { strategy: "blue-green", bake: "8s", drain: "5s" },
  environments: {
    staging: { edge: { listen: "127.0.0.1:8081" }, rollout: { bake: "1s" } },
    production: { edge: { listen: "127.0.0.1:8080" } },
  },
});
