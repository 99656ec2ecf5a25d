import { defineProduct } from "slipway";

const redis = "REGISTRY/tools/redis:7";

export default defineProduct({
  name: "greetings",
  target: {
    driver: "docker",
    hosts: [
      { url: "ssh://root@10.0.0.2", name: "vm1" },
      { url: "ssh://root@10.0.0.3", name: "vm2" },
    ],
  },
  services: {
    api: {
      kind: "web",
      path: "api",
      port: 3000,
      instances: 2,
      routes: ["/api"],
      env: { GREETING: "Hello" },
      health: { path: "/api/health", body: { status: "healthy" }, interval: "250ms", timeout: "2s", deadline: "8s" },
      stopGrace: "5s",
    },
    web: {
      kind: "web",
      path: "web",
      port: 3000,
      instances: 2,
      needs: ["api"],
      health: { path: "/up", interval: "250ms", timeout: "2s", deadline: "8s" },
      stopGrace: "5s",
    },
    worker: {
      kind: "worker",
      path: "worker",
      needs: ["api"],
      health: { startPeriod: "300ms", deadline: "8s" },
      stopGrace: "5s",
    },
  },
  // Published under its own number, so that containers of the other machine reach it as well.
  accessories: { redis: { image: redis, port: 6379, hostPorts: ["6379:6379"], memory: "64MB" } },
  edge: { driver: "caddy", server: "ssh://root@10.0.0.2" },
  // Short, so that the example is: a real product watches for minutes.
  rollout: { strategy: "blue-green", bake: "6s", drain: "5s" },
  environments: {
    staging: {
      // One machine is enough here, and then its Redis needs no port of the machine.
      target: { hosts: [{ url: "ssh://root@10.0.0.2", name: "vm1" }] },
      accessories: { redis: { hostPorts: [] } },
      services: { api: { instances: 1 }, web: { instances: 1 } },
      edge: { listen: ":8081" },
      rollout: { bake: "1s" },
    },
    production: { promoteFrom: "staging", edge: { listen: ":8080" } },
  },
});
