import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diskFiles } from "./disk.ts";
import { readCompose } from "./read.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-compose-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

describe("files of a Compose project", () => {
  it("are there or not, or say why they cannot be read", () => {
    const { text } = diskFiles({ inside: null });
    expect(text(file("a", "b"))).toBe("b");
    expect(text(join(directory, "none"))).toBeNull();
    expect(text(directory)).toEqual({ fault: `${directory} is not a file` });
    expect(text(file("large", Buffer.alloc(1_000_001)))).toMatchObject({ fault: expect.stringContaining("at most") });
    expect(text(file("binary", Buffer.from([0xff, 0xfe])))).toMatchObject({ fault: expect.stringContaining("UTF-8") });
    execFileSync("mkfifo", [join(directory, "pipe")]);
    expect(text(join(directory, "pipe"))).toMatchObject({ fault: expect.stringContaining("is not a file") });
  });

  it("may not be outside of the repository where that is asked for, also not by a link", () => {
    mkdirSync(join(directory, "repo"));
    const outside = file("outside.env", "SECRET=hunter2\n");
    symlinkSync(outside, join(directory, "repo", "link.env"));
    const { text } = diskFiles({ inside: join(directory, "repo") });
    for (const path of [outside, join(directory, "repo", "link.env")])
      expect(text(path)).toMatchObject({ fault: expect.stringContaining("is outside of") });
    writeFileSync(join(directory, "repo", "compose.yaml"), "services: {a: {image: x, env_file: link.env}}\n");
    const { model, problems } = readCompose({ directory: join(directory, "repo"), inside: join(directory, "repo") });
    expect(model).toBeNull();
    expect(problems).toMatchObject([{ path: "services.a.env_file" }]);
  });

  it("are found by their names, with the override over the first", () => {
    file("docker-compose.yml", "services: {a: {image: x}}\n");
    file("docker-compose.override.yml", "services: {a: {image: y}}\n");
    expect(readCompose({ directory }).model?.services).toMatchObject({ a: { image: "y" } });
    expect(readCompose({ directory, files: ["docker-compose.yml"] }).model?.services).toMatchObject({
      a: { image: "x" },
    });
  });

  it("are missed with words", () => {
    expect(readCompose({ directory }).problems).toMatchObject([
      { message: `there is no Compose file in ${directory}` },
    ]);
    expect(readCompose({ directory, files: ["no.yml"] }).problems[0]?.message).toBe(
      `there is no file ${directory}/no.yml`,
    );
  });
});
