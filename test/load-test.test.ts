import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeploymentDetail, HistoryView } from "../src/api/contract.ts";
import type { GateEvidence } from "../src/engine/gates/evidence.ts";
import { freePorts } from "../src/testing/ports.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import {
  beginRun,
  hasEnded,
  makeRepository,
  type Repository,
  runToEnd,
  runWhen,
  stepOf,
} from "./fixture/repository.ts";

let repository: Repository;
let plane: Plane;
let ports: readonly number[];

beforeAll(async () => {
  ports = await freePorts(2);
  repository = await makeRepository();
  plane = await startPlane(repository);
});
afterAll(() => tearDown(repository, plane));

const autocannon = createRequire(import.meta.url).resolve("autocannon");
const server = `require("node:http")
  .createServer((request, response) => response.writeHead(request.url === "/broken" ? 500 : 200).end("well"))
  .listen(Number(process.env.PORT), process.env.HOST);`;

/** Two hundred requests of its own server, by autocannon itself. */
function write(path: string, promotion?: "automatic"): void {
  const line = `"${process.execPath}" "${autocannon}" --connections 4 --amount 200 --json "$SLIPWAY_EDGE_URL${path}" > load.json`;
  const stress = {
    shell: line,
    reports: { load: ["load.json"] },
    loadTest: { environment: "staging", expect: ["p95 < 10m", "success > 99.9 %", "rate > 0.01/s"] },
  };
  const [staging, production] = ports.map((port) => ({ edge: { listen: `127.0.0.1:${port}` } }));
  repository.write(
    { steps: { stress } },
    { "server.js": server },
    {
      services: { web: { kind: "web", command: ["node", "server.js"], instances: 1, health: { path: "/up" } } },
      rollout: { bake: "10ms" },
      environments: {
        staging,
        production: {
          ...production,
          promoteFrom: "staging",
          gates: { loadTest: true },
          ...(promotion === undefined ? {} : { promotion }),
        },
      },
    },
  );
}

async function begin(environment: string, release: string): Promise<string> {
  const body = { environment, release, kind: "deploy", actor: "test", reason: "test" };
  return (await plane.client.post<{ deployment: string }>("/v1/deployments", body)).deployment;
}

/** The deployment when what it says of its load test is this. */
async function saying(deployment: string, said: RegExp): Promise<DeploymentDetail> {
  for await (const detail of plane.client.stream<DeploymentDetail>(`/v1/deployments/${deployment}/follow`))
    if (detail.gates?.some(({ gate, says }) => gate === "load test" && said.test(says))) return detail;
  throw new Error(`${deployment} ended without saying ${said}`);
}

it("a release begins in production when it has passed its load test in staging, measured there with that very release", async () => {
  write("/");
  const made = await runToEnd(plane, repository, { event: "deploy", release: true });
  expect(stepOf(made, "stress")).toMatchObject({
    phase: "skipped",
    reason: "tests what is live: slipway load-test staging",
  });
  const release = made.release ?? "";
  const early = await runToEnd(plane, repository, { loadTest: "staging" });
  expect(stepOf(early, "stress").reason).toBe("nothing is live in staging: deploy to it first");
  expect(await ended(plane, await begin("staging", release))).toMatchObject({ phase: "succeeded" });
  const waiting = await begin("production", release);
  await saying(waiting, /^stress has not run in staging with it; run: slipway load-test staging$/);

  const run = await runWhen(plane, await beginRun(plane, repository, { loadTest: "staging" }), hasEnded);
  expect(stepOf(run, "stress").reason).toMatch(/^autocannon, 200 requests: p97.5, .*success 100.00 % .*rate /);
  expect(await ended(plane, waiting)).toMatchObject({ phase: "succeeded" });

  // Another release has to pass its own.
  write("/broken");
  const other = await runToEnd(plane, repository, { loadTest: "staging" });
  expect(stepOf(other, "stress").reason).toMatch(/^r1 \([0-9a-f]{7}\) is live in staging, and this run is of /);
  const second = await runToEnd(plane, repository, { event: "deploy", release: true });
  expect(await ended(plane, await begin("staging", second.release ?? ""))).toMatchObject({ phase: "succeeded" });
  const stopped = await begin("production", second.release ?? "");
  await saying(stopped, /^stress has not run in staging with it/);
  const failed = await runToEnd(plane, repository, { loadTest: "staging" });
  expect(stepOf(failed, "stress")).toMatchObject({ phase: "failed" });
  expect(await saying(stopped, /^stress has failed in staging: .*success 0\.00 %/)).toMatchObject({ phase: "gated" });
  // Who is asked for a yes sees what was measured.
  const { lines } = await plane.client.get<GateEvidence>(`/v1/deployments/${stopped}/evidence`);
  expect(lines).toContainEqual([
    "load test",
    expect.stringMatching(/^step stress in staging failed: .*success 0\.00 %/),
  ]);
});

it("where it goes on by itself, its load test is begun by itself too", async () => {
  write("/", "automatic");
  const { release } = await runToEnd(plane, repository, { event: "deploy", release: true });
  await ended(plane, await begin("staging", release ?? ""));
  const asked = await vi.waitFor(async () => {
    const path = "/v1/history?product=probe&environment=production";
    const { history } = await plane.client.get<{ history: readonly HistoryView[] }>(path);
    const found = history.find(({ event, actor }) => event === "deployment.gated" && actor === "slipway");
    return found ?? Promise.reject(new Error("nothing was asked for"));
  }, 60_000);
  expect(asked.reason).toMatch(/^r\d has succeeded in staging \(dep_/);
  expect(await ended(plane, asked.deployment ?? "")).toMatchObject({ phase: "succeeded" });
});
