import { describe, expect, it } from "vitest";
import { readModel } from "./read.ts";
import { type StackReading, toStack } from "./stack.ts";
import type { RawMap } from "./tree.ts";

function stackOf(project: RawMap, service: string | null = "tests"): StackReading {
  const files = { yaml: () => [{ value: project, replaced: [] }], text: () => null };
  const request = {
    paths: ["/p/sub/c.yml"],
    directory: "/p/sub",
    name: "step",
    profiles: [],
    variables: {},
    home: null,
  };
  const { model, problems } = readModel(request, files);
  if (model === null) throw new Error(JSON.stringify(problems));
  return toStack(model, { root: "/p", service });
}

const said = ({ problems }: StackReading) => problems.map(({ path, message }) => `${path}: ${message}`);

describe("a Compose project as what runs for a step", () => {
  it("starts each after what it waits for, and the one that tests after all; ports of the host are left out", () => {
    const { stack } = stackOf({
      services: {
        tests: { build: { context: "..", target: "test" }, depends_on: ["app"], networks: ["front"], mem_limit: "64m" },
        app: {
          image: "app",
          depends_on: { seed: { condition: "service_completed_successfully" }, db: { condition: "service_healthy" } },
          networks: { front: { aliases: ["api"] }, back: null },
          ports: ["8080:80"],
        },
        seed: { image: "seed", depends_on: { db: { condition: "service_healthy" } }, networks: ["back"] },
        db: { image: "postgres:16", volumes: ["data:/var/lib/postgresql/data"], networks: ["back"] },
      },
      networks: { front: null, back: { internal: true } },
      volumes: { data: null },
    });
    expect(stack?.beside.map(({ name }) => name)).toEqual(["db", "seed", "app"]);
    expect(stack?.networks).toEqual([
      { key: "front", internal: false },
      { key: "back", internal: true },
    ]);
    expect(stack?.volumes).toEqual(["data"]);
    expect(stack?.beside[2]).toMatchObject({
      port: 80,
      networks: ["front", "back"],
      settings: { aliases: ["app", "api"] },
      after: [
        { name: "seed", until: "service_completed_successfully" },
        { name: "db", until: "service_healthy" },
      ],
    });
    expect(stack?.beside[0]?.mounts).toEqual([
      { is: "volume", source: "data", path: "/var/lib/postgresql/data", readOnly: false },
    ]);
    expect(stack?.service).toMatchObject({
      image: null,
      build: { context: "/p", stage: "test", dockerfile: null, args: {} },
      memoryBytes: 67_108_864,
    });
  });

  it("gives nothing of the machine but the checkout, and no way out of a container", () => {
    const reading = stackOf({
      services: {
        tests: {
          image: "t",
          privileged: true,
          cap_add: ["NET_BIND_SERVICE", "cap_sys_admin"],
          security_opt: ["no-new-privileges:true", "seccomp=unconfined"],
          volumes: ["/var/run/docker.sock:/var/run/docker.sock", "../fixtures:/f:ro", "./out:/out"],
          user: "root",
        },
        host: { image: "h", network_mode: "host", pid: "host" },
        away: { build: "../.." },
        late: { image: "l", depends_on: ["tests"], networks: ["shared"] },
      },
      networks: { shared: { external: true } },
    });
    expect(reading.stack).toBeNull();
    expect(said(reading)).toEqual([
      "services.tests.privileged: is not given to what runs for a step",
      "services.tests.cap_add: cap_sys_admin is a way out of the container, which no step has",
      "services.tests.security_opt: seccomp=unconfined would take protection away",
      "services.tests.volumes[0]: /var/run/docker.sock is not in the checkout; a step sees nothing else of the machine",
      "services.tests.volumes[2]: what writes to the checkout runs as the control plane's user, so that it can be removed: take user away, or mount it read-only (:ro)",
      "services.host.network_mode: is not given to what runs for a step",
      "services.host.pid: is not given to what runs for a step",
      "services.away.build.context: / is not in the checkout",
      "networks.shared.external: is of somebody else; what a step has is made for it alone",
      "services.late.depends_on.tests: when tests ends, so does the step: nothing comes after",
    ]);
  });

  it("names the services there are when the one that tests is not among them", () => {
    const project = { services: { db: { image: "d" }, test: { image: "t" } } };
    expect(said(stackOf(project))).toEqual(["services: there is no service tests; it has db, test"]);
    expect(stackOf(project, null).stack).toMatchObject({ service: null, beside: [{ name: "db" }, { name: "test" }] });
  });
});
