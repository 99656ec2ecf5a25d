import type { ContainerConfig, HostConfig } from "./containers.ts";

/** What a Compose service says of its container besides image, command, environment and places. Texts in clear. */
export type ContainerExtras = {
  /** Null is the image's own; an empty one takes the image's own away. */
  readonly entrypoint: readonly string[] | null;
  readonly workingDirectory: string | null;
  readonly healthcheck: {
    readonly test: readonly string[];
    readonly intervalMs: number | null;
    readonly timeoutMs: number | null;
    readonly startPeriodMs: number | null;
    readonly retries: number | null;
  } | null;
  readonly stopSignal: string | null;
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly securityOptions: readonly string[];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sharedMemoryBytes: number | null;
  readonly groups: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly dns: readonly string[];
};

/** The same in the engine's words: of the container itself. */
export function extrasConfig(extras: ContainerExtras): Partial<ContainerConfig> {
  const { entrypoint, workingDirectory, healthcheck, stopSignal } = extras;
  const ns = (ms: number) => Math.round(ms * 1e6);
  return {
    ...(entrypoint !== null && { Entrypoint: entrypoint.length === 0 ? [""] : entrypoint }),
    ...(workingDirectory !== null && { WorkingDir: workingDirectory }),
    ...(stopSignal !== null && { StopSignal: stopSignal }),
    ...(healthcheck !== null && {
      Healthcheck: {
        Test: healthcheck.test,
        ...(healthcheck.intervalMs !== null && { Interval: ns(healthcheck.intervalMs) }),
        ...(healthcheck.timeoutMs !== null && { Timeout: ns(healthcheck.timeoutMs) }),
        ...(healthcheck.startPeriodMs !== null && { StartPeriod: ns(healthcheck.startPeriodMs) }),
        ...(healthcheck.retries !== null && { Retries: healthcheck.retries }),
      },
    }),
  };
}

/** And of its place on the host. */
export function extrasHost(
  extras: ContainerExtras,
  { readOnlyRoot }: { readonly readOnlyRoot: boolean },
): Partial<HostConfig> {
  const { tmpfs, securityOptions, ulimits, sharedMemoryBytes, groups, sysctls, dns } = extras;
  // Where the file says what is writable, /tmp is not made so unasked.
  return {
    ...((Object.keys(tmpfs).length > 0 || readOnlyRoot) && { Tmpfs: tmpfs }),
    SecurityOpt: securityOptions,
    Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    ...(sharedMemoryBytes !== null && { ShmSize: sharedMemoryBytes }),
    GroupAdd: groups,
    Sysctls: sysctls,
    Dns: dns,
  };
}
