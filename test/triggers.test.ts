import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventEnded, git, TestForge } from "./fixture/forge.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

let product: TestProduct;
let plane: Plane;
let forge: TestForge;

beforeAll(async () => {
  forge = await TestForge.make();
  const more = {
    triggers: {
      branches: { main: { deploy: "production" }, "feature/*": {} },
      schedules: { nightly: { cron: "0 3 * * *", branch: "main" } },
      ...forge.triggers,
    },
    pipeline: { steps: { unit: { shell: "true" } } },
  };
  product = await makeProduct({ bake: "0s", instances: 1, more });
  product.commit("v1", "good");
  forge.join(product);
  plane = await startPlane(product);
  await forge.apply(plane, product.directory);
});
afterAll(async () => {
  await tearDown(product, plane);
  forge.remove();
});

/** Somebody pushes to a branch, and the forge tells of it. */
const delivered = (message: string, branch: string) =>
  forge.deliver(forge.pushBody(forge.push(message, { branch }), branch));

describe("triggers", () => {
  it("a signed push is fetched, released and deployed where its branch is mapped, once, whatever is sent again", async () => {
    const body = forge.pushBody(forge.push("feat: by a push"));
    const delivery = randomUUID();
    const { id, again } = await forge.deliver(body, { delivery });
    expect(again).toBe(false);
    const event = await eventEnded(plane, id);
    expect(event).toMatchObject({ phase: "done", reason: "its deployment to production is on its way" });
    const detail = await ended(plane, event.deployment!);
    expect(detail).toMatchObject({ phase: "succeeded", environment: "production", createdBy: "ada" });
    expect(detail.release.subject).toBe("feat: by a push");
    expect((await fetch(`http://127.0.0.1:${product.port}/`)).status).toBe(200);

    expect(await forge.deliver(body, { delivery })).toMatchObject({ id, again: true });
    expect(await forge.deliver(body)).toMatchObject({ id, again: true });
    const { deployments } = await plane.client.get<{ deployments: unknown[] }>("/v1/deployments?product=probe");
    expect(deployments).toHaveLength(1);
    // Nobody's working tree and no branch was touched.
    expect(git(product.directory, "status", "--porcelain", "--untracked-files=no")).toBe("");
    expect(git(product.directory, "branch", "--format=%(refname:short)")).toBe("main");
  });

  it("a push to a branch that is only checked makes a run and no release; one that says so begins nothing", async () => {
    const { id } = await delivered("feat: look", "feature/look");
    const event = await eventEnded(plane, id);
    expect(event).toMatchObject({ phase: "done", release: null, deployment: null });
    const run = await plane.client.get<{ event: string; phase: string; createdBy: string }>(`/v1/runs/${event.run}`);
    expect(run).toMatchObject({ event: "push", phase: "succeeded", createdBy: "ada" });

    const quiet = await delivered("docs: typo [skip ci]", "feature/quiet");
    expect(await eventEnded(plane, quiet.id)).toMatchObject({ phase: "ignored", run: null });
  });

  it("by hand the newest commit of a branch is taken, also where nobody has told of it", async () => {
    forge.push("feat: by hand", { branch: "feature/hand" });
    const { event: begun } = await plane.client.post<{ event: { id: string } }>("/v1/triggers/events", {
      product: "probe",
      branch: "feature/hand",
      actor: "grace",
    });
    const byHand = await eventEnded(plane, begun.id);
    expect(byHand).toMatchObject({ phase: "done", source: "manual" });
    const run = await plane.client.get<{ commit: string; createdBy: string }>(`/v1/runs/${byHand.run}`);
    expect(run).toMatchObject({ commit: git(forge.remote, "rev-parse", "feature/hand"), createdBy: "grace" });
  });

  it("a control plane that is killed right after its answer begins what it has accepted, once", async () => {
    const { id } = await delivered("feat: then it died", "feature/dies");
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(product);
    const event = await eventEnded(plane, id);
    expect(event).toMatchObject({ phase: "done", deployment: null });
    const { runs } = await plane.client.get<{ runs: { id: string; commit: string }[] }>("/v1/runs?product=probe");
    expect(runs.filter((run) => run.id === event.run)).toHaveLength(1);
    const { commit } = runs.find((run) => run.id === event.run)!;
    expect(runs.filter((run) => run.commit === commit)).toHaveLength(1);
  });
});
