import type { ProductInput } from "./input.ts";

/** Configs that tests of this folder and of the loader share. */

export const smallProduct: ProductInput = {
  name: "shop",
  services: { web: { kind: "web", command: ["node", "server.js"] } },
};

/** Every key there is, at least once. */
export const fullProduct: ProductInput = {
  $schema: "./node_modules/slipway/schema/slipway.schema.json",
  name: "shop",
  services: {
    migrate: { kind: "job", command: ["npm", "run", "migrate"], health: { deadline: "20m" } },
    web: {
      kind: "web",
      path: "apps/web",
      build: { command: ["npm", "run", "build"], output: "dist", timeout: "20m" },
      command: ["node", "server.js"],
      health: {
        path: "/up",
        status: [200, 204],
        body: { status: "healthy", checks: { database: "connected", queues: ["mail", 3, null] } },
        interval: "250ms",
        timeout: "2s",
        retries: 5,
        startPeriod: "10s",
        deadline: "1h30m",
      },
      stopGrace: "1m",
      instances: 2,
      env: { LOG_LEVEL: "info", EMPTY: "" },
      needs: ["migrate", "mailer"],
      routes: ["/", "example.org/shop", { host: "api.example.org", path: "/v1/", strip: true }],
      resources: { memory: "512MiB", cpu: 0.5 },
    },
    mailer: { kind: "worker", command: ["python", "-m", "mailer"], health: { startPeriod: "3s" } },
    docs: { kind: "static", path: "docs", routes: "docs.example.org", fallback: "index.html" },
  },
  rollout: {
    strategy: "rolling",
    bake: "10m",
    batch: "50%",
    drain: "1m",
    streamLimit: "1h",
    rules: { errorRatio: { margin: "2.5%", minimum: 100 }, healthLost: true },
    whenBusy: "replace",
  },
  edge: {
    listen: "127.0.0.1:8080",
    trustedProxies: ["10.0.0.0/8", "2001:db8::1"],
    redirectToHttps: true,
    redirectWww: true,
    headers: { "X-Frame-Options": false, "Strict-Transport-Security": "max-age=31536000" },
    cors: {
      origins: ["https://app.example.org"],
      methods: ["GET"],
      headers: ["X-Id"],
      credentials: true,
      maxAge: "1h",
    },
    allowLists: [{ path: "/admin/", allow: ["10.0.0.0/8", "192.0.2.7"] }],
    rateLimit: { requests: 100, per: "1m" },
    bodyLimit: "50MB",
    sticky: { cookie: "slipway" },
    maintenance: false,
  },
  retention: { releases: 10 },
  target: { driver: "process" },
  environments: {
    staging: {
      services: {
        web: {
          command: ["node", "--inspect", "server.js"],
          health: { path: null, body: "ok", deadline: "2h" },
          instances: 1,
          env: { LOG_LEVEL: "debug", EMPTY: null },
          routes: ["staging.example.org"],
          resources: null,
          stopGrace: "5s",
        },
        docs: null,
      },
      rollout: { strategy: null, batch: null, bake: "30s", rules: { errorRatio: { minimum: 5 } } },
      edge: {
        listen: ":8081",
        sticky: { header: "x-user" },
        headers: { "x-frame-options": null, "x-robots-tag": "noindex" },
        cors: false,
        rateLimit: { requests: 1000 },
      },
      retention: { releases: 2 },
      target: { driver: "process" },
    },
    production: {
      promoteFrom: "staging",
      services: { web: { instances: 4 } },
      rollout: { rules: { errorRatio: false } },
    },
  },
};
