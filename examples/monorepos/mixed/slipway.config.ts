import { defineProduct } from "slipway";

// A service in Node and one in Python, each with tests of its own.
export default defineProduct({
  name: "words",
  services: {
    api: {
      kind: "web",
      path: "api",
      command: ["node", "server.js"],
      health: { path: "/up" },
      pipeline: { steps: { unit: { inputs: ["**"], needs: [] } } },
    },
    scorer: {
      kind: "worker",
      path: "scorer",
      command: ["python3", "scorer.py"],
      needs: ["api"],
      pipeline: { steps: { unit: { command: ["python3", "-m", "unittest", "-v"] } } },
    },
  },
  synth: { github: true, jenkins: true, docker: true, dependabot: true, deployment: true },
});
