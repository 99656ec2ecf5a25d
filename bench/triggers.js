// The floor of triggers: from a webhook that is sent to the first step of its run that begins, the commit fetched on the way.
import { execFileSync } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../dist/testing/ports.js";
import { floor, median, percentile } from "./parts/figures.js";
import { Product } from "./parts/product.js";

const toFirstStepMs = 300;
const secret = "a-secret-of-the-bench";

export async function triggersBench({ quick = false } = {}) {
  const port = await freePort();
  const room = mkdtempSync(join(tmpdir(), "slipway-hooked-"));
  const mark = join(room, "begun");
  // The step says by itself when it began: nobody's record is believed.
  const pipeline = { steps: { first: { shell: `date +%s%N > ${mark}` } } };
  const triggers = { branches: { main: {} }, webhook: { forge: "github", listen: `127.0.0.1:${port}` } };
  const product = await Product.make({ triggers, pipeline });
  try {
    product.commit("hooked");
    const remote = join(room, "remote.git");
    const clone = join(room, "clone");
    git(room, "clone", "--quiet", "--bare", product.directory, remote);
    git(room, "clone", "--quiet", remote, clone);
    git(product.directory, "remote", "add", "origin", remote);
    const applied = await product.slipway("triggers", "apply");
    if (applied.code !== 0) throw new Error(`the triggers are not in force: ${applied.text}`);
    const named = { product: "bench", environment: "triggers", name: "WEBHOOK_SECRET", value: secret };
    await product.ask((client) => client.post("/v1/secrets", { ...named, actor: "bench", reason: "" }));
    const rounds = quick ? 3 : 21;
    const all = [];
    for (let round = 0; round < rounds + 2; round += 1) {
      const one = await hooked(product, { port, clone, mark, round });
      // The first ones find everything cold.
      if (round < 2) continue;
      all.push(one);
    }
    const of = (key) => median(all.map((one) => one[key])).toFixed(0);
    const begun = all.map(({ begunMs }) => begunMs);
    const parts = `answered after ${of("answeredMs")}, fetched and its run made after ${of("runMs")}, the step's turn after ${of("stepMs")}`;
    const seen = `${median(begun).toFixed(0)} ms (p90 ${percentile(begun, 90).toFixed(0)})`;
    console.log(`  webhook to the first step: ${seen}, ${rounds} rounds; ${parts}`);
    return [floor("webhook to first step started", `< ${toFirstStepMs} ms`, seen, median(begun) < toFirstStepMs)];
  } finally {
    await product.close();
    rmSync(room, { recursive: true, force: true });
  }
}

async function hooked(product, { port, clone, mark, round }) {
  const before = git(clone, "rev-parse", "HEAD");
  git(clone, "commit", "--quiet", "--allow-empty", "-m", `push ${round}`);
  git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main");
  const after = git(clone, "rev-parse", "HEAD");
  const about = { repository: { full_name: "acme/bench" }, sender: { login: "ada" } };
  const body = JSON.stringify({ ref: "refs/heads/main", before, after, ...about });
  rmSync(mark, { force: true });
  const sentMs = performance.timeOrigin + performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/hooks/github`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    body,
  });
  const answeredMs = performance.timeOrigin + performance.now() - sentMs;
  const said = await answer.json();
  if (answer.status !== 202) throw new Error(`the webhook was answered ${answer.status}: ${JSON.stringify(said)}`);
  const event = await ended(product, said.events[0].id);
  if (event.phase !== "done") throw new Error(`${event.id} ended ${event.phase}: ${event.reason}`);
  const begunMs = Number(readFileSync(mark, "utf8")) / 1e6 - sentMs;
  const run = await product.ask((client) => client.get(`/v1/runs/${event.run}`));
  return { answeredMs, runMs: run.createdAt - sentMs, stepMs: run.steps[0].startedAt - sentMs, begunMs };
}

async function ended(product, id) {
  for (;;) {
    const { events } = await product.ask((client) => client.get("/v1/triggers?product=bench"));
    const event = events.find((one) => one.id === id);
    if (event !== undefined && event.endedAt !== null) return event;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function git(directory, ...args) {
  const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
  return execFileSync("git", [...who, ...args], { cwd: directory, encoding: "utf8" }).trim();
}
