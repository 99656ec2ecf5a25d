export const image = `slipway-test/node:${process.versions.node}`;
export const redis = "slipway-test/redis:7";

/** Puts something into the Redis that the tests find there, and says so. */
const fill = `console.log("filling");
  (function put() {
    const socket = require("node:net").connect(6379, "cache", () => socket.write("SET greeting hello\\r\\n"));
    socket.on("error", () => setTimeout(put, 50)).on("data", () => process.exit(0));
  })();`;

/** Asks for it; what it heard is a report in the checkout. */
const hear = `const socket = require("node:net").connect(6379, "cache", () => socket.write("GET greeting\\r\\n"));
  socket.on("data", (data) => {
    require("node:fs").writeFileSync("/out/heard", String(data));
    console.log("heard", String(data).trim().split("\\r\\n").pop(), process.env.TOKEN);
    process.exit(Number(process.env.CODE));
  });`;

const project = `services:
  tests:
    image: ${image}
    command: ["node", "/checkout/hear.js"]
    environment: { CODE: "\${CODE}", TOKEN: }
    volumes: ["./:/checkout:ro", "./out:/out"]
    depends_on: { fill: { condition: service_completed_successfully } }
    networks: [back]
  fill:
    build: { context: fill, args: { BASE: "${image}" } }
    depends_on: { slow: { condition: service_healthy }, cache: { condition: service_started } }
    networks: { back: }
  slow:
    image: ${image}
    command: ["sh", "-c", "echo slow is up; touch /tmp/up; sleep 1000"]
    healthcheck: { test: ["CMD", "test", "-f", "/tmp/up"], interval: 1s }
  cache:
    image: ${redis}
    expose: ["6379"]
    volumes: [kept:/kept]
    ports: ["6379:6379"]
    networks: { back: { aliases: [redis] }, default: }
networks: { back: { internal: true } }
volumes: { kept: }
`;

/** A team's `docker-compose.integration.yml` with what it builds and mounts: `tests` hears from a Redis what `fill` has put there. */
export const integrationFiles = {
  "docker-compose.integration.yml": project,
  "hear.js": hear,
  "fill/fill.js": fill,
  "fill/Dockerfile": 'ARG BASE\nFROM $BASE\nCOPY fill.js /\nENTRYPOINT ["node", "/fill.js"]\n',
};
