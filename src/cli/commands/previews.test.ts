import { expect, test } from "vitest";
import type { PreviewsView } from "../../api/contract.ts";
import { environmentName, releaseId } from "../../core/ids.ts";
import { resolvePreviews } from "../../core/product/resolve-previews.ts";
import { previewsLines } from "./previews.ts";

const hour = 3_600_000;
const template = environmentName("preview");
const preview: PreviewsView["previews"][number] = {
  name: environmentName("preview/pr-12"),
  template,
  ref: "pull-request/12",
  phase: "awake",
  reason: "pull request 12 at aaaaaaa",
  url: "http://pr-12.preview.test:8080/",
  host: "pr-12.preview.test",
  live: { release: releaseId("rel_1"), number: 7 },
  instances: 2,
  madeAt: 0,
  madeBy: "ada",
  pushedAt: hour,
  askedAt: null,
  expiresAt: 25 * hour,
  instanceMs: hour,
  cost: 0.5,
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours, where there are some.
const plain = (lines: readonly string[]): string[] => lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, ""));

test("each preview says where it is, how old, what it costs and when it goes, and each template what is in force", () => {
  const policy = resolvePreviews({ ttl: "1d", sleep: "30m", cost: { instanceHour: 0.5, perMonth: 20 } });
  const fresh = { ...preview, name: environmentName("preview/new"), live: null, url: null };
  const view = { previews: [preview, fresh], templates: [{ name: template, policy, cost: 1 }] };
  expect(plain(previewsLines(view, 2 * hour))).toEqual([
    "✔ preview/pr-12  awake           r7  http://pr-12.preview.test:8080/  made 2 h ago  pushed 1 h ago  0.50  pull request 12 at aaaaaaa; goes in 23h",
    "● preview/new    no release yet                                       made 2 h ago  pushed 1 h ago  0.50  pull request 12 at aaaaaaa; goes in 23h",
    "  preview: {name}.localhost, at most 5, then the oldest goes, 1d after the last push, sleeps after 30m; 1.00 of 20.00 this month",
  ]);
  expect(plain(previewsLines({ previews: [], templates: [] }, 0))[0]).toContain("no template of previews is in force");
});
