import { afterEach, beforeEach, expect, it } from "vitest";
import { environmentName, type ReleaseId } from "../../src/core/ids.ts";
import type { ProductInput, ServiceInput } from "../../src/core/product/input.ts";
import { approve } from "../../src/engine/commands/approve.ts";
import { artifactsOf, releaseRow } from "../../src/engine/release/read.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
const teams = { ops: ["grace"] };

// Anew for each try: which steps run and which are skipped says what this repository has seen before.
beforeEach(async () => {
  plane = await Plane.start({
    environments: {
      staging: {},
      production: { promoteFrom: "staging", gates: { approval: { teams: ["ops"] } } },
    },
  });
});
afterEach(() => plane.close());

const worker = (text: string) => `console.log(${JSON.stringify(text)});\n`;
/** Runs until a test says that it crashes: how long a program needs to come up is the machine's. */
const crashes = `import { existsSync } from "node:fs";
setInterval(() => {
  if (!existsSync(process.env.CONTROL + "/mailer-train")) return;
  console.error("no mail server");
  process.exit(1);
}, 20);
process.on("SIGTERM", () => process.exit(0));
`;
const stays = "setInterval(() => {}, 1000);\nprocess.on('SIGTERM', () => process.exit(0));\n";

/** A monorepo: a web service and two workers, each in a directory of its own and with a pipeline of its own. */
function services(): ProductInput["services"] {
  const own = (path: string, shell = `test -f ${path}.mjs`): Pick<ServiceInput, "path" | "pipeline"> => ({
    path,
    pipeline: { steps: { unit: { shell, when: { paths: [`${path}/**`] } } } },
  });
  const { web, worker: other } = { web: plane.product.web(), worker: plane.product.worker() };
  return {
    web: { ...web, ...own("web"), command: ["node", "web.mjs"] },
    mailer: { ...other, ...own("mailer", "! grep broken mailer.mjs"), command: ["node", "mailer.mjs"] },
    sweeper: { ...other, ...own("sweeper"), command: ["node", "sweeper.mjs"] },
  };
}

/** Commits what is said of the mailer; the others are what they were. */
async function withMailer(text: string, more: Omit<Partial<ProductInput>, "name"> = {}): Promise<ReleaseId> {
  plane.product.write("web/web.mjs", webText);
  plane.product.write("mailer/mailer.mjs", text);
  plane.product.write("sweeper/sweeper.mjs", worker("sweeps") + stays);
  return plane.version("train", { teams, services: services(), ...more });
}

const webText = `import { createServer } from "node:http";
createServer((request, response) => response.end(request.url === "/up" ? '{"status":"healthy"}' : "web")).listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => process.exit(0));
`;

/** Which release each service is, and that this is what runs and is routed to. */
async function onBoard(environment: string): Promise<Record<string, ReleaseId>> {
  await plane.expectAtRest(environment);
  const rows = await plane.world.store.db
    .selectFrom("revision")
    .select(["service", "release_id"])
    .where("environment", "=", environmentName(environment))
    .where("role", "=", "stable")
    .execute();
  return Object.fromEntries(rows.map(({ service, release_id }) => [service, release_id]));
}

const together = (release: ReleaseId) => ({ web: release, mailer: release, sweeper: release });

async function stepsOf(release: ReleaseId): Promise<Record<string, string>> {
  const rows = await plane.world.store.db
    .selectFrom("run_step")
    .innerJoin("run", "run.id", "run_step.run_id")
    .select(["run_step.name", "run_step.phase"])
    .where("run.release_id", "=", release)
    .execute();
  return Object.fromEntries(rows.map(({ name, phase }) => [name, phase]));
}

it("several services are one train: one release, one approval, promoted and taken back together, also when one of them has changed", async () => {
  const one = await withMailer(worker("mails") + stays);
  expect(await stepsOf(one)).toEqual({ "web/unit": "passed", "mailer/unit": "passed", "sweeper/unit": "passed" });
  expect((await plane.deploy("staging", one)).phase).toBe("succeeded");
  const first = await plane.start("production", one, { kind: "promotion" });
  await approve(plane.world, { deployment: first, verdict: "approved", actor: "grace", reason: "looks good" });
  expect((await plane.ended(first)).phase).toBe("succeeded");
  expect(await onBoard("production")).toEqual(together(one));

  // Only the mailer has changed: only its steps run, what the others are made of is what it was, and all go on together.
  const two = await withMailer(worker("mails better") + stays);
  expect(await stepsOf(two)).toEqual({ "web/unit": "skipped", "mailer/unit": "passed", "sweeper/unit": "skipped" });
  const [before, after] = [
    artifactsOf(await releaseRow(plane.world.store.db, one)),
    artifactsOf(await releaseRow(plane.world.store.db, two)),
  ];
  const same = Object.keys(after).filter(
    (service) => JSON.stringify(after[service as never]) === JSON.stringify(before[service as never]),
  );
  expect(same.toSorted()).toEqual(["sweeper", "web"]);
  expect((await plane.deploy("staging", two)).phase).toBe("succeeded");
  const second = await plane.start("production", two, { kind: "promotion" });
  expect((await plane.row(second)).phase).toBe("gated");
  expect(await onBoard("production")).toEqual(together(one));
  await approve(plane.world, { deployment: second, verdict: "approved", actor: "grace", reason: "the whole train" });
  expect((await plane.ended(second)).phase).toBe("succeeded");
  expect(await onBoard("production")).toEqual(together(two));

  // One that fails takes the others back with it, and none of them is promoted.
  const bad = await withMailer(crashes, { rollout: { bake: "1m" } });
  const taken = await plane.start("staging", bad);
  await plane.reaches(taken, "baking");
  plane.product.behave("mailer", "train", "crash");
  const { phase, failure } = await plane.ended(taken);
  expect([phase, failure?.code, failure?.service]).toEqual(["rolled-back", "HEALTH_LOST", "mailer"]);
  expect(await onBoard("staging")).toEqual(together(two));
  await expect(plane.start("production", bad, { kind: "promotion" })).rejects.toMatchObject({
    code: "PROMOTION_REFUSED",
  });

  // A step of one service that fails is a train that does not leave.
  await expect(withMailer("broken")).rejects.toMatchObject({ code: "PIPELINE_FAILED" });
  const releases = await plane.world.store.db.selectFrom("release").select("id").execute();
  expect(releases).toHaveLength(3);

  expect((await plane.ended(await plane.rollback("production"))).phase).toBe("succeeded");
  expect(await onBoard("production")).toEqual(together(one));
});
