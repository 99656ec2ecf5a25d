import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ComposeFiles } from "./assemble.ts";
import { differences } from "./differences.ts";
import { type ComposeReading, readModel } from "./read.ts";
import { unusedServiceKeys } from "./reading/service.ts";
import { toServices } from "./services.ts";
import type { Raw } from "./tree.ts";

const textOf = (value: Raw): string => (typeof value === "string" ? value : inspect(value));

/** What a project says whose files are these values. */
function read(files: Readonly<Record<string, Raw>>, variables: Readonly<Record<string, string>> = {}): ComposeReading {
  const disk: ComposeFiles = {
    yaml: (path) => (Object.hasOwn(files, path) ? [{ value: files[path]!, replaced: [] }] : null),
    text: (path) => (Object.hasOwn(files, path) ? textOf(files[path]!) : null),
  };
  return readModel(
    { paths: ["/p/compose.yaml"], directory: "/p", name: null, profiles: [], variables, home: null },
    disk,
  );
}

const one = (service: Raw, variables = {}) => read({ "/p/compose.yaml": { services: { web: service } } }, variables);
const said = ({ problems }: ComposeReading) => problems.map(({ path, message }) => `${path}: ${message}`);

describe("a Compose project", () => {
  it("says all that is wrong at once, with path, value and what is allowed", () => {
    const reading = one({ imag: "x", user: 1000, ports: ["a:b"], healthcheck: { interval: 30 }, depends_on: ["db"] });
    expect(reading.model).toBeNull();
    expect(said(reading)).toEqual([
      'services.web.ports[0]: "a:b" does not fit here; use "8080:80", "127.0.0.1:8080:80/tcp", "3000-3005:3000-3005", or an object with target and published',
      "services.web.healthcheck.interval: 30 does not fit here; use numbers and units (us, ms, s, m, h, d), such as 10s or 1m30s",
      "services.web.user: 1000 does not fit here; use a text; put it in quotes",
      'services.web.imag: unknown key; did you mean "image"?',
      "services.web: it has neither an image nor a build",
      "services.web.depends_on.db: there is no service db here",
    ]);
    expect(reading.problems[3]).toMatchObject({ guess: "image", severity: "error" });
  });

  it("never shows a value of a variable, an argument or a command", () => {
    const reading = one(
      {
        image: "x",
        environment: { A: ["hunter2"] },
        build: { args: { B: { c: "hunter2" } } },
        command: ["${S}", 5, "a 'hunter2"],
      },
      { S: "hunter2" },
    );
    expect(reading.model).toBeNull();
    expect(JSON.stringify(reading.problems)).not.toContain("hunter2");
  });

  it("knows which variables may be secrets: those whose value is not in the file", () => {
    const { model } = read(
      {
        "/p/compose.yaml": {
          services: {
            web: {
              image: "x",
              env_file: "e",
              environment: { PLAIN: "p", URL: "pg://u:${PW}@db", PASSED: null, NOWHERE: null },
            },
          },
        },
        "/p/e": "FROM_FILE=s\nPLAIN=other\n",
      },
      { PW: "pw", PASSED: "passed" },
    );
    expect(toServices(model!).services[0]).toMatchObject({
      spec: { env: { PLAIN: "p", URL: "pg://u:pw@db", PASSED: "passed", FROM_FILE: "s" } },
      secretEnv: ["URL", "PASSED", "FROM_FILE"],
    });
  });

  it("ends, whatever the size", () => {
    expect(said(one({ image: "x", ports: ["1-65535"] }))).toContain("services.web.ports: more than 1000 ports");
    expect(said(one({ image: "x", stop_grace_period: "99999999999999999999h" })).join()).toContain("stop_grace_period");
    expect(said(one({ image: "x", stop_grace_period: `${"9".repeat(100_000)}h` })).join()).toContain(
      "stop_grace_period",
    );
    expect(said(one({ image: "x", mem_limit: "9".repeat(100_000) })).join()).toContain("mem_limit");
    const items = Array.from({ length: 2_000 }, (_, index) => `v${index}:/v${index}`);
    expect(said(one({ image: "x", volumes: items }))).toContain(
      "services.web.volumes: 2000 entries; at most 1000 are read",
    );
    const chain = Array.from({ length: 200 }, (_, index) => [`s${index}`, { extends: `s${index + 1}`, image: "x" }]);
    expect(said(read({ "/p/compose.yaml": { services: Object.fromEntries(chain) } })).join()).toContain("20 deep");
    const large = {
      image: "x",
      labels: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`l${index}`, "v"])),
    };
    const heirs = Array.from({ length: 900 }, (_, index) => [`s${index}`, { extends: "large" }]);
    expect(said(read({ "/p/compose.yaml": { services: { large, ...Object.fromEntries(heirs) } } })).join()).toContain(
      "too large",
    );
  });

  it("never throws anything, and what it makes of a model it can always tell", () => {
    const word = fc.constantFrom(
      "web",
      "db",
      "80:80",
      "v:/v",
      "service_healthy",
      "1m",
      "512m",
      "no",
      "$A",
      "${A:-b}",
      "CMD",
      "../x",
    );
    const leaf = fc.oneof(word, fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.bigInt());
    const key = fc.oneof(fc.constantFrom(...keys), fc.string());
    const { tree } = fc.letrec<{ tree: Raw }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 6 }),
      ),
    }));
    const service = fc.oneof(
      tree,
      fc.dictionary(key, tree, { maxKeys: 12 }).map((keyed) => ({ image: "x", ...keyed })),
    );
    const file = fc.oneof(
      tree,
      fc.record(
        {
          services: fc.dictionary(fc.constantFrom("web", "db", "__proto__", "constructor"), service, { minKeys: 1 }),
          include: tree,
          networks: tree,
          volumes: tree,
          secrets: tree,
        },
        { requiredKeys: ["services"] },
      ),
    );
    fc.assert(
      fc.property(file, tree, (value, other) => {
        const { model, problems } = read({ "/p/compose.yaml": value, "/x": other, "/p/x": other }, { A: "a" });
        expect(model === null).toBe(problems.some(({ severity }) => severity === "error"));
        for (const { message, path } of problems) expect(`${path} ${message}`.length).toBeLessThan(2_000);
        if (model === null) return;
        toServices(model);
        differences(model);
      }),
      { numRuns: 400 },
    );
  });
});

const keys = [
  ...["image", "build", "ports", "expose", "volumes", "environment", "env_file", "depends_on", "healthcheck", "deploy"],
  ...[
    "command",
    "entrypoint",
    "networks",
    "labels",
    "secrets",
    "configs",
    "tmpfs",
    "ulimits",
    "logging",
    "extends",
    "scale",
  ],
  ...[
    "target",
    "source",
    "type",
    "published",
    "condition",
    "required",
    "test",
    "interval",
    "retries",
    "resources",
    "limits",
  ],
  ...[
    "restart",
    "x-slipway",
    "kind",
    "route",
    "port",
    "health",
    "external",
    "file",
    "name",
    "path",
    "service",
    "context",
  ],
  ...unusedServiceKeys,
];
