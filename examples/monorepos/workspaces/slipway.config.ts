import { defineProduct } from "slipway";

// npm workspaces: one lock file, packages that need each other, a test in each.
export default defineProduct({
  name: "shop",
  pipeline: {
    steps: {
      install: { inputs: ["package.json", "package-lock.json", "packages/*/package.json"], outputs: ["node_modules"] },
      unit: {
        matrix: { PACKAGE: ["cart", "web"] },
        shell: 'npm test --workspace "@shop/$PACKAGE"',
        needs: ["install"],
      },
    },
  },
  services: {
    web: {
      kind: "web",
      command: ["node", "packages/web/server.js"],
      build: { command: ["npm", "ci"] },
      health: { path: "/up" },
    },
  },
  synth: { github: true, docker: true, dependabot: true, deployment: true },
});
