import { describe, expect, test } from "vitest";
import { type Digest, environmentName, releaseId, revisionId, serviceName } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import type { ComposedContainer, ContainerSpec, RevisionSpec } from "../../../ports/target.ts";
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

  test("is what a Compose file says, under its names, with secrets opened only here", () => {
    const composed: ComposedContainer = {
      project: "shop",
      service: "web_app",
      aliases: ["web_app", "front"],
      networks: [],
      entrypoint: ["/entry", new Secret("--token")],
      command: [],
      workingDirectory: "/srv",
      tmpfs: { "/run": "size=64m" },
      files: [],
      healthcheck: { test: ["CMD", "true"], intervalMs: 500, timeoutMs: null, startPeriodMs: null, retries: 2 },
      stopSignal: "SIGQUIT",
      extraHosts: ["db:10.0.0.9"],
      securityOptions: ["no-new-privileges:true"],
      ulimits: [{ name: "nofile", soft: 1_024, hard: 2_048 }],
      sharedMemoryBytes: 1_024,
      groups: ["44"],
      sysctls: { "net.core.somaxconn": "1024" },
      dns: ["10.0.0.2"],
      notMade: [],
      untilHealthy: false,
      after: [],
    };
    const volumes = [{ source: "shop_data", path: "/data", readOnly: false, composed: { key: "data" } }];
    const config = containerConfig(spec({ command: ["not", "this"] }, { composed, volumes }), digest, place);
    expect(config).toMatchObject({
      Entrypoint: ["/entry", "--token"],
      Cmd: [],
      WorkingDir: "/srv",
      StopSignal: "SIGQUIT",
      Healthcheck: { Test: ["CMD", "true"], Interval: 500_000_000, Retries: 2 },
      HostConfig: {
        Tmpfs: { "/run": "size=64m" },
        ExtraHosts: ["redis:10.0.0.5", "db:10.0.0.9"],
        SecurityOpt: ["no-new-privileges:true"],
        Ulimits: [{ Name: "nofile", Soft: 1_024, Hard: 2_048 }],
        ShmSize: 1_024,
        GroupAdd: ["44"],
        Sysctls: { "net.core.somaxconn": "1024" },
        Dns: ["10.0.0.2"],
        // As docker compose has named it, so that what is in it is found.
        Mounts: [{ Source: "shop_data", Target: "/data" }],
      },
      NetworkingConfig: { EndpointsConfig: { [place.network]: { Aliases: ["web", "web_app", "front"] } } },
    });
  });
});
