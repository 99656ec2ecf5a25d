import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { TriggersView } from "../../api/contract.ts";
import { triggerSettings } from "../../core/triggers/settings.ts";
import { triggersLines } from "./triggers.ts";

const settings = triggerSettings({
  triggers: {
    branches: { main: { deploy: "production" }, "feature/*": {} },
    schedules: { nightly: { cron: "0 3 * * *", branch: "main" } },
    webhook: { forge: "github", listen: ":9800" },
    poll: "1m",
  },
});
if (settings === null) throw new Error("there are none");

const now = Date.UTC(2026, 10, 26);
const inForce: TriggersView["inForce"] = {
  settings,
  repository: "/srv/shop",
  appliedAt: now - 3_600_000,
  appliedBy: "ada",
  url: "http://127.0.0.1:9800/hooks/github",
  polledAt: null,
  pollError: "git ls-remote of origin failed with exit code 128",
  untold: { count: 0, error: null },
};
const event: TriggersView["events"][number] = {
  id: "evt_1",
  source: "github",
  event: {
    is: "push",
    repository: "acme/shop",
    ref: { kind: "branch", name: "main" },
    before: null,
    after: "a".repeat(40),
    message: null,
    actor: "ada",
  },
  phase: "done",
  reason: "deployed to production",
  run: "run_1" as never,
  release: "rel_1" as never,
  deployment: "dep_1" as never,
  receivedAt: now - 120_000,
  endedAt: now,
};

const shown = (view: TriggersView): string[] =>
  triggersLines(view, now).map((line) => stripVTControlCharacters(line).trimEnd());

test("the triggers in force are shown with where webhooks come in, what was heard last, and what it began", () => {
  const ping = { ...event, event: { is: "ping" as const }, phase: "ignored" as const, reason: "a ping", run: null };
  expect(shown({ inForce, events: [event, { ...ping, deployment: null }] })).toEqual([
    "  push     main           run, release, deploy to production",
    "  push     feature/*      run",
    "  nightly  0 3 * * * UTC  main: run",
    "  webhooks  http://127.0.0.1:9800/hooks/github",
    "  polled  origin every 1m  ✖ git ls-remote of origin failed with exit code 128",
    "  applied by ada, 1 h ago",
    "✔ 2 min ago  github  main aaaaaaa  deployed to production  run_1 dep_1",
    "○ 2 min ago  github  ping          a ping",
  ]);
  expect(shown({ inForce, events: [] }).at(-1)).toBe("  nothing was heard yet");
  expect(shown({ inForce: null, events: [] })[0]).toContain("slipway triggers apply");
});
