import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StackReading } from "../../../core/compose/stack.ts";
import { readStack } from "./for-step.ts";

let top: string;
let checkout: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "slipway-stack-"));
  checkout = join(top, "source");
  mkdirSync(join(checkout, "api"), { recursive: true });
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

function read(text: string, variables: Readonly<Record<string, string>> = {}): StackReading {
  writeFileSync(join(checkout, "api", "c.yml"), text);
  const directory = join(checkout, "api");
  return readStack({ files: ["c.yml"], profiles: [], service: "tests", directory, checkout, variables });
}

describe("a Compose file of a step", () => {
  it("is read with the step's variables over .env, its secrets' files, and mounts that stay mounts", () => {
    writeFileSync(join(checkout, "api", ".env"), "LEVEL=quick\nKIND=unit\n");
    writeFileSync(join(checkout, "key.txt"), "for tests");
    const { stack, problems } = read(
      [
        "services:",
        "  tests:",
        "    image: t:$LEVEL",
        "    environment: { KIND: '${KIND}', TOKEN: }",
        "    volumes: ['./run.sh:/run.sh:ro', '../reports:/reports']",
        "    secrets: [key]",
        "secrets: { key: { file: ../key.txt } }",
      ].join("\n"),
      { LEVEL: "full", TOKEN: "t0ken" },
    );
    expect(problems).toEqual([]);
    expect(stack?.service).toMatchObject({
      image: "t:full",
      env: { KIND: "unit", TOKEN: "t0ken" },
      mounts: [
        { is: "bind", source: join(checkout, "api/run.sh"), path: "/run.sh", readOnly: true },
        { is: "bind", source: join(checkout, "reports"), path: "/reports", readOnly: false },
      ],
      settings: { files: [{ path: "/run/secrets/key", text: "for tests", mode: 0o444 }] },
    });
  });

  it("has all of its files in the checkout, also by way of links, and says what is wrong without this run's paths", () => {
    writeFileSync(join(top, "elsewhere.yml"), "services: { tests: { image: t } }");
    symlinkSync(join(top, "elsewhere.yml"), join(checkout, "api", "link.yml"));
    const linked = read("include: [link.yml]");
    expect(linked.stack).toBeNull();
    expect(JSON.stringify(linked.problems)).toContain("api/link.yml is outside of");
    const missing = read(
      "services: { tests: { image: t, env_file: gone.env }, other: { image: o, volumes: [/etc:/e] } }",
    );
    expect(missing.stack).toBeNull();
    expect(missing.problems.map(({ message }) => message).join()).not.toContain(top);
  });
});
