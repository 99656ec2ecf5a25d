import { describe, expect, it } from "vitest";
import { classify } from "./classify.ts";
import { type Contents, withContents } from "./contents.ts";
import { readModel } from "./read.ts";
import { toServices } from "./services.ts";
import type { Raw, RawMap } from "./tree.ts";

const files: Readonly<Record<string, string>> = {
  "/shop/nginx.conf": "events {}",
  "/shop/conf.d/a.conf": "a",
  "/shop/conf.d/deep/b.conf": "b",
  "/shop/token.txt": "hunter2",
};

const contents: Contents = {
  root: "/shop",
  text: (path) => files[path] ?? null,
  directory: (path) => {
    const inside = Object.keys(files).filter((file) => file.startsWith(`${path}/`));
    return inside.length === 0 ? null : inside.map((file) => file.slice(path.length + 1));
  },
  variable: (name) => (name === "TOKEN" ? "from a variable" : undefined),
};

function read(service: RawMap, more: RawMap = {}) {
  const value: Raw = { services: { web: { image: "nginx", expose: [80], ...service } }, ...more };
  const request = { paths: ["/shop/c.yaml"], directory: "/shop", name: null, profiles: [], variables: {}, home: null };
  const { model } = readModel(request, { yaml: () => [{ value, replaced: [] }], text: () => null });
  const reading = withContents(model!, contents);
  const product = toServices(reading.model!, { root: "/shop" });
  const [one] = [...product.services, ...product.accessories];
  return {
    problems: reading.problems.map(({ path, message }) => `${path}: ${message}`),
    files: one!.spec.composed?.files.map(({ path, text, mode }) => [path, text, mode.toString(8)]),
    left: reading.model!.services.web!.mounts.map(({ source }) => source),
    kind: classify(reading.model!.services.web!, reading.model!).kind,
  };
}

describe("what is in the repository and not on the hosts", () => {
  it("is laid in where it is settings: a file of their kind, or what is only read", () => {
    expect(read({ volumes: ["./nginx.conf:/etc/nginx/nginx.conf", "./conf.d:/etc/nginx/conf.d:ro"] })).toEqual({
      problems: [],
      files: [
        ["/etc/nginx/nginx.conf", "events {}", "444"],
        ["/etc/nginx/conf.d/a.conf", "a", "444"],
        ["/etc/nginx/conf.d/deep/b.conf", "b", "444"],
      ],
      left: [],
      kind: "web",
    });
  });

  it("stays a mount where it is written, or of the host", () => {
    expect(read({ volumes: ["./conf.d:/data", "/srv/nginx.conf:/etc/nginx/nginx.conf"] }).left).toEqual([
      "/shop/conf.d",
      "/srv/nginx.conf",
    ]);
  });

  it("is a secret or a config, from a file, a variable or the file itself; what is missing is said", () => {
    const secrets = { a: { file: "./token.txt" }, b: { environment: "TOKEN" }, c: { file: "./none" } };
    const configs = { d: { content: "x: 1" } };
    const used = { secrets: ["a", { source: "b", target: "/b", mode: 0o400 }, "c"], configs: ["d"] };
    expect(read(used, { secrets, configs })).toMatchObject({
      problems: ["secrets.c: there is no file /shop/none"],
      files: [
        ["/run/secrets/a", "hunter2", "444"],
        ["/b", "from a variable", "400"],
        ["/d", "x: 1", "444"],
      ],
    });
  });
});
