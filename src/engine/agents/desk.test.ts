import { randomBytes } from "node:crypto";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { list } from "tar";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { besideService } from "../../core/compose/stack.ts";
import { systemClock } from "../../lib/system-clock.ts";
import type { JobContainer, StepJob } from "../../ports/executor.ts";
import { AgentDesk, type Asking } from "./desk.ts";

let directory: string;
let desk: AgentDesk;
let off: AbortController;
let lines: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-desk-"));
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  desk = new AgentDesk({ clock: systemClock, log, newId: () => randomBytes(6).toString("hex") });
  off = new AbortController();
  lines = [];
});
afterEach(async () => {
  off.abort();
  await rm(directory, { recursive: true, force: true });
});

const container: JobContainer = {
  ...{ engine: "unix:///here.sock", runs: { is: "command", image: "node:22" }, mount: "/here", network: "none" },
  ...{ memoryBytes: 1_000_000, cpus: null, networks: [], volumes: [], beside: [], readyMs: 1_000 },
};

/** Hands a step out; its end, or why it was let go of. */
function handOut(key: string, inside: JobContainer | null): Promise<string> {
  const job: StepJob = {
    ...{ key, labels: { run: "run_1", step: "0" }, command: ["true"], directory, sees: [], env: {}, secrets: [] },
    ...{ room: join(directory, key), timeoutMs: 60_000, outputBytes: 1_000, disk: { directory, maxBytes: 1_000 } },
    ...{ container: inside, away: { labels: ["linux"], top: directory, patterns: [] } },
  };
  return desk
    .run(job, (chunk) => lines.push(chunk.toString()), off.signal)
    .then(
      (end) => (end.is === "lost" ? `lost: ${end.why}` : end.is),
      () => "let go",
    );
}

const asking = (agent: string, engine: boolean, generation = 0): Asking => {
  return {
    product: "shop",
    agent,
    labels: ["linux"],
    until: Number.MAX_SAFE_INTEGER,
    generation,
    engine,
    compose: true,
  };
};
const now = () => AbortSignal.timeout(200);

describe("the desk of agents", () => {
  it("gives a step with an image only to an agent with an engine, and says whom it waits for", async () => {
    void handOut("inside", container);
    expect(await desk.take(asking("plain", false), now())).toBeNull();
    const taken = await desk.take(asking("engined", true), now());
    expect(taken?.job.container?.runs).toEqual({ is: "command", image: "node:22" });
    void handOut("outside", null);
    expect((await desk.take(asking("plain", false), now()))?.job.key).toBe("outside");
    expect(lines.join("")).toContain("waits for an agent with linux, a container engine; there are plain (linux)");
    expect(desk.agents()).toMatchObject([
      { agent: "plain", engine: false, running: [{ run: "run_1" }] },
      { agent: "engined", engine: true, running: [{ run: "run_1" }] },
    ]);
  });

  it("gives a Compose file, whose services mount and build what is in the checkout, to no agent of an older program", async () => {
    const bare = { name: "db", image: "postgres:16", command: [], env: {}, port: null, memoryBytes: null };
    const mounts = [{ is: "bind", source: "/here/sql", path: "/sql", readOnly: true }] as const;
    const service = { ...besideService(bare), mounts };
    void handOut("composed", { ...container, beside: [service] });
    expect(await desk.take({ ...asking("older", true), compose: false }, now())).toBeNull();
    await vi.waitFor(() =>
      expect(lines.join("")).toContain(
        "waits for an agent with linux, a container engine, a program that knows Compose files; there are older (linux, a container engine and an older program)",
      ),
    );
    expect((await desk.take(asking("newer", true), now()))?.job.key).toBe("composed");
  });

  it("sends a checkout without the links that lead out of it, and says which", async () => {
    for (let index = 1; index <= 6; index += 1) await symlink("/usr/bin/python3", join(directory, `python${index}`));
    await symlink("python1", join(directory, "inside"));
    void handOut("linked", null);
    const pass = asking("here", false);
    const taken = await desk.take(pass, now());
    const { file } = await desk.workspace(pass, taken?.id ?? "");
    const names: string[] = [];
    await list({ file, onReadEntry: ({ path }) => void names.push(path) });
    expect(names.filter((name) => /python|inside/.test(name))).toEqual(["inside"]);
    const five = [1, 2, 3, 4, 5].map((index) => `python${index} -> /usr/bin/python3`).join(", ");
    expect(lines.at(-1)).toBe(`the agent does not get links that lead out of the checkout: ${five} and 1 more\n`);
  });

  it("ends the wait of an agent whose token is revoked, and takes from it what it has", async () => {
    const end = handOut("one", null);
    const taken = await desk.take(asking("sold", false), now());
    const waits = desk.take(asking("sold", false), AbortSignal.timeout(30_000));
    const given = await desk.revoke("sold", { generation: 1, why: "the token of sold was revoked by ada" });
    expect(given).toEqual([{ run: "run_1", step: "0" }]);
    await expect(waits).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    expect(await end).toBe("lost: the token of sold was revoked by ada");
    await expect(desk.beat(asking("sold", false), taken?.id ?? "")).rejects.toMatchObject({
      code: "CONTROL_PLANE_DOWN",
    });
    await expect(desk.take(asking("sold", false), now())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    void handOut("two", null);
    expect((await desk.take(asking("sold", false, 1), now()))?.job.key).toBe("two");
  });
});
