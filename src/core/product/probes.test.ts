import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { resolveEnvironment } from "./resolve.ts";
import { smallProduct } from "./samples.ts";
import { validateProduct } from "./validate.ts";

const problems = (more: object): string[] =>
  validateProduct({ ...smallProduct, ...more }).problems.map(({ path, message }) => `${path}: ${message}`);
const probe = (one: object): string[] => problems({ probes: { one } });

describe("a probe", () => {
  it("is of exactly one kind, in one place, of a service that exists, under a name of its own", () => {
    expect(probe({})).toEqual([expect.stringContaining("probes.one: it has no kind; use one of http, tcp")]);
    expect(probe({ tcp: "a:1", dns: { name: "a" } })).toEqual([expect.stringContaining("it has tcp and dns")]);
    expect(probe({ postgres: {} })).toEqual(["probes.one.postgres: use either url or urlFrom"]);
    expect(probe({ redis: { url: "redis://a", urlFrom: "A" } })).toEqual([
      "probes.one.redis: use either url or urlFrom",
    ]);
    expect(probe({ queue: { urlFrom: "A" } })).toEqual(["probes.one.queue: use one of bullmq, list, stream"]);
    expect(probe({ queue: { urlFrom: "A", stream: "s" } })).toEqual([
      "probes.one.queue: a stream and its group go together",
    ]);
    expect(probe({ tcp: "a:1", service: "wep" })).toEqual([
      'probes.one.service: there is no service "wep"; did you mean "web"?',
    ]);
    expect(probe({ tcp: "a:1", every: "2s", timeout: "3s" })).toEqual([expect.stringContaining("longer than 2s")]);
    expect(probe({ tcp: "a:1", variables: ["A"] })).toEqual([
      "probes.one.variables: only a command is given variables",
    ]);
    expect(problems({ probes: { cpu: { tcp: "a:1" } } })).toEqual([
      expect.stringContaining("probes.cpu: cpu is a metric"),
    ]);
    const twice = { probes: { one: { tcp: "a:1" } }, metrics: { one: { command: ["a"] } } };
    expect(problems(twice)).toEqual(["metrics.one: a probe is called one too; choose another name"]);
    expect(probe({ tcp: "a:1", service: "web", every: "3s", timeout: "3s" })).toEqual([]);
  });

  it("never has a password in the file, and one that is there is not shown", () => {
    for (const one of [
      { postgres: { url: "postgres://u:s3cret@db/shop" } },
      { mongodb: { url: "mongodb://u:s3cret@a,b/shop" } },
      { http: { url: "https://u:s3cret@example.org/" } },
    ]) {
      const { problems: found } = validateProduct({ ...smallProduct, probes: { one } });
      expect(found).toHaveLength(1);
      expect(JSON.stringify(found)).not.toContain("s3cret");
    }
  });

  it("of an environment takes the place of the product's as a whole, and null leaves it out", () => {
    const config = {
      ...smallProduct,
      probes: { db: { postgres: { urlFrom: "A" }, every: "5s" as const }, gone: { tcp: "a:1" } },
      environments: {
        staging: { probes: { db: { mysql: { urlFrom: "B" } }, gone: null, more: { tcp: "b:2", service: "web" } } },
      },
    };
    expect(problems(config)).toEqual([]);
    expect(resolveEnvironment(config, "staging").probes).toEqual([
      {
        name: "db",
        service: null,
        everyMs: 30_000,
        timeoutMs: 5_000,
        uptime: true,
        check: { kind: "mysql", place: { from: "B" } },
      },
      {
        name: "more",
        service: serviceName("web"),
        everyMs: 30_000,
        timeoutMs: 5_000,
        uptime: true,
        check: { kind: "tcp", address: { host: "b", port: 2 } },
      },
    ]);
  });
});
