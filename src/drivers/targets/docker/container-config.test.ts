import { describe, expect, test } from "vitest";
import { type Digest, environmentName, releaseId, revisionId, serviceName } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import type { ContainerSpec, RevisionSpec } from "../../../ports/target.ts";
import { containerConfig, containerOf, namedVolumes, type Place } from "./container-config.ts";
import { containerName, identityOf, labelsOf } from "./labels.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;
const spec = (more: Partial<RevisionSpec> = {}, part: Partial<ContainerSpec> = {}): RevisionSpec => ({
  id: revisionId("rev_shop-preview~12-web-r4"),
  product: "shop",
  environment: environmentName("preview/12"),
  service: serviceName("web"),
  release: releaseId("rel_4"),
  configDigest: digest,
  mode: "service",
  artifact: { kind: "image", digest, id: digest, repository: null, layout: null },
  container: null,
  command: [],
  env: {},
  listens: true,
  stopGraceMs: 1_500,
  memoryBytes: null,
  cpus: null,
  ...more,
  ...(Object.keys(part).length > 0 && { container: { ...containerOf({ container: null } as RevisionSpec), ...part } }),
});
const place: Place = {
  index: 2,
  network: "shop-preview_12",
  published: { host: "10.0.0.4", hostPort: 20_001, port: 3000 },
  elsewhere: { redis: "10.0.0.5" },
};

describe("a container", () => {
  test("says whose it is, and is known again by that alone", () => {
    const { Labels = {} } = containerConfig(spec(), digest, place);
    const identity = identityOf(Labels, "shop");
    expect(identity).toMatchObject({
      revision: "rev_shop-preview~12-web-r4",
      environment: "preview/12",
      index: 2,
      address: "10.0.0.4:20001",
      stopGraceMs: 1_500,
    });
    expect(identity === null ? {} : labelsOf(identity)).toEqual(Labels);
    expect(identityOf(Labels, "bakery")).toBeNull();
    expect(identityOf({ ...Labels, "slipway.instance": "-1" }, "shop")).toBeNull();
    expect(identityOf({ "slipway.product": "shop" }, "shop")).toBeNull();
    expect(containerName(spec().id)).toBe("rev_shop-preview_12-web-r4");
  });

  test("has secrets in its environment and nowhere else, and cannot be told to be another", () => {
    const token = "s3cret-value";
    const config = containerConfig(
      spec({ env: { TOKEN: new Secret(token), SLIPWAY_INSTANCE: "other", HOST: "::" }, command: ["node", "a b"] }),
      digest,
      place,
    );
    expect(config.Env).toEqual(
      expect.arrayContaining([
        `TOKEN=${token}`,
        "PORT=3000",
        "HOST=::",
        "SLIPWAY_INSTANCE=rev_shop-preview~12-web-r4.2",
      ]),
    );
    expect(config.Cmd).toEqual(["node", "a b"]);
    expect(JSON.stringify({ ...config, Env: [] })).not.toContain(token);
  });

  test("publishes its port at the host's address only, and the host's own ports where they are asked for", () => {
    const config = containerConfig(spec({}, { hostPorts: [{ host: null, hostPort: 80, port: 3000 }] }), digest, place);
    expect(config.HostConfig?.PortBindings).toEqual({
      "3000/tcp": [
        { HostIp: "10.0.0.4", HostPort: "20001" },
        { HostIp: "", HostPort: "80" },
      ],
    });
    expect(config.HostConfig?.ExtraHosts).toEqual(["redis:10.0.0.5"]);
  });

  test("has its limits without swap, a rotated log, and volumes named for its environment", () => {
    const volumes = [
      { source: "data", path: "/data", readOnly: false },
      { source: "/etc/ssl", path: "/etc/ssl", readOnly: true },
    ];
    const limited = spec(
      { memoryBytes: 64_000_000, cpus: 0.5 },
      { volumes, readOnlyRoot: true, dropCapabilities: ["ALL"] },
    );
    const { HostConfig } = containerConfig(limited, digest, place);
    expect(HostConfig).toMatchObject({
      Memory: 64_000_000,
      MemorySwap: 64_000_000,
      NanoCpus: 500_000_000,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      LogConfig: { Type: "json-file", Config: { "max-size": "10000000", "max-file": "3" } },
      RestartPolicy: { Name: "always" },
    });
    expect(HostConfig?.Mounts).toEqual([
      { Type: "volume", Source: "shop-preview_12-data", Target: "/data", ReadOnly: false },
      { Type: "bind", Source: "/etc/ssl", Target: "/etc/ssl", ReadOnly: true },
    ]);
    expect(namedVolumes(limited)).toEqual(["shop-preview_12-data"]);
    expect(containerConfig(spec({ mode: "job" }), digest, place).HostConfig?.RestartPolicy).toEqual({ Name: "no" });
  });

  test("only an accessory answers to its service's name", () => {
    const aliases = (mode: RevisionSpec["mode"]) =>
      containerConfig(spec({ mode }), digest, place).NetworkingConfig?.EndpointsConfig["shop-preview_12"]?.Aliases;
    expect([aliases("accessory"), aliases("service"), aliases("job")]).toEqual([["web"], [], []]);
  });
});
