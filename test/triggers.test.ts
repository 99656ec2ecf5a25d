import { execFileSync } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TriggersView } from "../src/api/contract.ts";
import { freePort } from "../src/testing/ports.ts";
import { ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

const secret = "a-secret-of-the-test";

type Event = TriggersView["events"][number];

let product: TestProduct;
let plane: Plane;
let remote: string;
let hooks: string;

const git = (directory: string, ...args: string[]): string =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();

beforeAll(async () => {
  const port = await freePort();
  hooks = `http://127.0.0.1:${port}/hooks/github`;
  const more = {
    triggers: {
      branches: { main: { deploy: "production" }, "feature/*": {} },
      schedules: { nightly: { cron: "0 3 * * *", branch: "main" } },
      repository: "acme/probe",
      webhook: { forge: "github", listen: `127.0.0.1:${port}` },
    },
    pipeline: { steps: { unit: { shell: "true" } } },
  };
  product = await makeProduct({ bake: "0s", instances: 1, more });
  product.commit("v1", "good");
  remote = mkdtempSync(join(tmpdir(), "slipway-remote-"));
  git(remote, "init", "--quiet", "--bare", "--initial-branch=main");
  git(product.directory, "remote", "add", "origin", remote);
  plane = await startPlane(product);
  await apply();
  await plane.client.post("/v1/secrets", {
    product: "probe",
    environment: "triggers",
    name: "WEBHOOK_SECRET",
    value: secret,
    actor: "test",
    reason: "",
  });
});
afterAll(async () => {
  await tearDown(product, plane);
  rmSync(remote, { recursive: true, force: true });
});

function apply(): Promise<TriggersView> {
  const body = { product: "probe", repository: product.directory, actor: "test" };
  return plane.client.post<TriggersView>("/v1/triggers", body);
}

/** Somebody else pushes: the control plane's own repository has never seen the commit. */
function pushed(version: string, branch = "main"): { readonly before: string; readonly after: string } {
  const clone = mkdtempSync(join(tmpdir(), "slipway-clone-"));
  try {
    git(clone, "clone", "--quiet", product.directory, "work");
    const work = join(clone, "work");
    const before = git(work, "rev-parse", "HEAD");
    git(work, "checkout", "--quiet", "-B", branch);
    git(work, "commit", "--quiet", "--allow-empty", "-m", version);
    git(work, "push", "--quiet", "--force", remote, `HEAD:refs/heads/${branch}`);
    return { before, after: git(work, "rev-parse", "HEAD") };
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
}

function payload({ before, after }: { before: string; after: string }, branch = "main"): string {
  return JSON.stringify({
    ref: `refs/heads/${branch}`,
    before,
    after,
    repository: { full_name: "acme/probe" },
    sender: { login: "ada" },
  });
}

async function deliver(body: string, delivery: string = randomUUID()): Promise<{ id: string; again: boolean }> {
  const answer = await fetch(hooks, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": delivery,
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    body,
  });
  expect(answer.status).toBe(202);
  const { events } = (await answer.json()) as { events: { id: string; again: boolean }[] };
  return events[0]!;
}

async function events(): Promise<readonly Event[]> {
  return (await plane.client.get<TriggersView>("/v1/triggers?product=probe")).events;
}

async function eventEnded(id: string): Promise<Event> {
  for (;;) {
    const found = (await events()).find((event) => event.id === id);
    if (found !== undefined && found.endedAt !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("triggers", () => {
  it("a signed push is fetched, released and deployed where its branch is mapped, once, whatever is sent again", async () => {
    const body = payload(pushed("feat: by a push"));
    const delivery = randomUUID();
    const { id, again } = await deliver(body, delivery);
    expect(again).toBe(false);
    const event = await eventEnded(id);
    expect(event).toMatchObject({ phase: "done", reason: "its deployment to production is on its way" });
    const detail = await ended(plane, event.deployment!);
    expect(detail).toMatchObject({ phase: "succeeded", environment: "production", createdBy: "ada" });
    expect(detail.release.subject).toBe("feat: by a push");
    expect((await fetch(`http://127.0.0.1:${product.port}/`)).status).toBe(200);

    expect(await deliver(body, delivery)).toMatchObject({ id, again: true });
    expect(await deliver(body)).toMatchObject({ id, again: true });
    const { deployments } = await plane.client.get<{ deployments: unknown[] }>("/v1/deployments?product=probe");
    expect(deployments).toHaveLength(1);
    // Nobody's working tree and no branch was touched.
    expect(git(product.directory, "status", "--porcelain", "--untracked-files=no")).toBe("");
    expect(git(product.directory, "branch", "--format=%(refname:short)")).toBe("main");
  });

  it("a push to a branch that is only checked makes a run and no release; one that says so begins nothing", async () => {
    const { id } = await deliver(payload(pushed("feat: look", "feature/look"), "feature/look"));
    const event = await eventEnded(id);
    expect(event).toMatchObject({ phase: "done", release: null, deployment: null });
    const run = await plane.client.get<{ event: string; phase: string; createdBy: string }>(`/v1/runs/${event.run}`);
    expect(run).toMatchObject({ event: "push", phase: "succeeded", createdBy: "ada" });

    const quiet = await deliver(payload(pushed("docs: typo [skip ci]", "feature/quiet"), "feature/quiet"));
    expect(await eventEnded(quiet.id)).toMatchObject({ phase: "ignored", run: null });
  });

  it("by hand the newest commit of a branch is taken, also where nobody has told of it", async () => {
    pushed("feat: by hand", "feature/hand");
    const { event: begun } = await plane.client.post<{ event: { id: string } }>("/v1/triggers/events", {
      product: "probe",
      branch: "feature/hand",
      actor: "grace",
    });
    const byHand = await eventEnded(begun.id);
    expect(byHand).toMatchObject({ phase: "done", source: "manual" });
    const run = await plane.client.get<{ commit: string; createdBy: string }>(`/v1/runs/${byHand.run}`);
    expect(run).toMatchObject({ commit: git(remote, "rev-parse", "feature/hand"), createdBy: "grace" });
  });

  it("a control plane that is killed right after its answer begins what it has accepted, once", async () => {
    const { id } = await deliver(payload(pushed("feat: then it died", "feature/dies"), "feature/dies"));
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(product);
    const event = await eventEnded(id);
    expect(event).toMatchObject({ phase: "done", deployment: null });
    const { runs } = await plane.client.get<{ runs: { id: string; commit: string }[] }>("/v1/runs?product=probe");
    expect(runs.filter((run) => run.id === event.run)).toHaveLength(1);
    const { commit } = runs.find((run) => run.id === event.run)!;
    expect(runs.filter((run) => run.commit === commit)).toHaveLength(1);
  });
});
