import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type Docker, pathOf } from "./docker.ts";
import { isAbsent, isRefusal } from "./errors.ts";
import { count, list, map, text, time } from "./shapes.ts";

/** What a container is made of: the part of the engine's own form that we use, in its own words. */
export type ContainerConfig = {
  readonly Image: string;
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Hostname?: string;
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  /** Its input ends when the first who was attached lets go. */
  readonly StdinOnce?: boolean;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly Healthcheck?: Readonly<Record<string, unknown>>;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly HostConfig?: HostConfig;
  readonly NetworkingConfig?: {
    readonly EndpointsConfig: Readonly<Record<string, { readonly Aliases?: readonly string[] }>>;
  };
};

export type HostConfig = {
  readonly NetworkMode?: string;
  readonly PortBindings?: Readonly<Record<string, readonly { readonly HostIp?: string; readonly HostPort: string }[]>>;
  readonly RestartPolicy?: {
    readonly Name: "" | "no" | "always" | "unless-stopped" | "on-failure";
    readonly MaximumRetryCount?: number;
  };
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly NanoCpus?: number;
  /** Its weight beside other containers, when all want to run; 1024 unless said. */
  readonly CpuShares?: number;
  /** From -1000 to 1000: what is ended first when memory runs out. */
  readonly OomScoreAdj?: number;
  readonly PidsLimit?: number;
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly ReadonlyRootfs?: boolean;
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly CapDrop?: readonly string[];
  readonly CapAdd?: readonly string[];
  readonly SecurityOpt?: readonly string[];
  readonly Init?: boolean;
  readonly AutoRemove?: boolean;
  readonly ExtraHosts?: readonly string[];
  readonly Mounts?: readonly Readonly<Record<string, unknown>>[];
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly ShmSize?: number;
  readonly Sysctls?: Readonly<Record<string, string>>;
  readonly Dns?: readonly string[];
  readonly GroupAdd?: readonly string[];
  readonly CgroupParent?: string;
};

const port = z.object({
  IP: text,
  PrivatePort: z.number(),
  PublicPort: z.number().optional(),
  Type: z.string(),
});

const listed = z.object({
  Id: z.string(),
  Names: list(z.string()),
  Image: z.string(),
  ImageID: text,
  Created: count,
  State: z.string(),
  Status: text,
  Labels: map(z.string()),
  Ports: list(port),
});
export type ListedContainer = z.output<typeof listed>;

const state = z.object({
  Status: z.string(),
  Running: z.boolean(),
  Restarting: z.boolean(),
  OOMKilled: z.boolean(),
  Dead: z.boolean().optional(),
  Pid: count,
  ExitCode: count,
  Error: text,
  StartedAt: time,
  FinishedAt: time,
  Health: z.object({ Status: z.string() }).nullish(),
});

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: time,
  Image: z.string(),
  RestartCount: count,
  State: state,
  Config: z.object({ Labels: map(z.string()), Env: list(z.string()), Tty: z.boolean().optional() }),
  HostConfig: z.object({
    PortBindings: map(list(z.object({ HostIp: text, HostPort: text }))),
    RestartPolicy: z.object({ Name: text }).nullish(),
    Memory: z.number().nullish(),
    ExtraHosts: list(z.string()),
  }),
  NetworkSettings: z.object({
    Networks: map(z.object({ IPAddress: text, NetworkID: text, Aliases: list(z.string()) })),
  }),
});
export type Container = z.output<typeof inspected>;

export type Labelled = { readonly labels?: Readonly<Record<string, string>>; readonly ancestor?: string };

/** Containers with all of these labels, whatever their state. Changes nothing. */
export function listContainers(
  docker: Docker,
  { labels, ancestor }: Labelled,
  signal: AbortSignal,
): Promise<ListedContainer[]> {
  const filters = {
    ...(labels !== undefined && { label: labelFilter(labels) }),
    ...(ancestor !== undefined && { ancestor: [ancestor] }),
  };
  const query = { all: true, filters };
  return docker.json({ method: "GET", path: "/containers/json", query, signal }, z.array(listed));
}

/** By id or name; null when it is not there. Changes nothing. */
export async function inspectContainer(docker: Docker, id: string, signal: AbortSignal): Promise<Container | null> {
  return nullIfAbsent(docker.json({ method: "GET", path: pathOf`/containers/${id}/json`, signal }, inspected));
}

/** Its id. A name that is taken, an image or a network that is not there are refusals (409, 404). */
export async function createContainer(
  docker: Docker,
  name: string,
  config: ContainerConfig,
  signal: AbortSignal,
): Promise<string> {
  const call = { method: "POST", path: "/containers/create", query: { name }, body: config, signal } as const;
  return (await docker.json(call, z.object({ Id: z.string() }))).Id;
}

/** Unpacks an archive at the root of its file system, running or not. */
export async function putArchive(docker: Docker, id: string, archive: Buffer, signal: AbortSignal): Promise<void> {
  const query = { path: "/" };
  await docker.send({ method: "PUT", path: pathOf`/containers/${id}/archive`, query, body: archive, signal });
}

/** Does nothing when it runs. */
export async function startContainer(docker: Docker, id: string, signal: AbortSignal): Promise<void> {
  await docker.send({ method: "POST", path: pathOf`/containers/${id}/start`, signal, timeoutMs: 60_000 });
}

/** SIGTERM (or the image's own), and SIGKILL after the grace, which the engine counts in whole seconds. Does nothing when it does not run or is not there. */
export async function stopContainer(docker: Docker, id: string, graceMs: number, signal: AbortSignal): Promise<void> {
  const query = { t: Math.ceil(graceMs / 1000) };
  const call = {
    method: "POST",
    path: pathOf`/containers/${id}/stop`,
    query,
    signal,
    timeoutMs: graceMs + 60_000,
  } as const;
  await nullIfAbsent(docker.send(call));
}

/** As `stopContainer`, and started again by the engine, whatever becomes of this connection. */
export async function restartContainer(
  docker: Docker,
  id: string,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const query = { t: Math.ceil(graceMs / 1000) };
  const path = pathOf`/containers/${id}/restart`;
  await docker.send({ method: "POST", path, query, signal, timeoutMs: graceMs + 120_000 });
}

/** An engine knows that a container has ended a moment after the kernel does. */
const noticeMs = 20;
const noticeTries = 150;

/** Whether the engine starts it again when it ends, and when the engine itself is started. May be set while it runs. */
export async function setRestartPolicy(
  docker: Docker,
  id: string,
  name: "no" | "always" | "unless-stopped",
  signal: AbortSignal,
): Promise<void> {
  const body = { RestartPolicy: { Name: name } };
  for (let tries = 1; ; tries++) {
    try {
      await nullIfAbsent(docker.send({ method: "POST", path: pathOf`/containers/${id}/update`, body, signal }));
      return;
    } catch (error) {
      // It ended under the update, which the engine has undone then.
      if (!isRefusal(error, 500, /^Cannot update container/i) || tries === noticeTries) throw error;
      await sleep(noticeMs, null, { signal });
    }
  }
}

export async function killContainer(
  docker: Docker,
  id: string,
  signalName: string,
  signal: AbortSignal,
): Promise<void> {
  const query = { signal: signalName };
  await docker.send({ method: "POST", path: pathOf`/containers/${id}/kill`, query, signal });
}

/** With its nameless volumes; running or not. Does nothing when it is not there. */
export async function removeContainer(docker: Docker, id: string, signal: AbortSignal): Promise<void> {
  const query = { force: true, v: true };
  const call = { method: "DELETE", path: pathOf`/containers/${id}`, query, signal, timeoutMs: 60_000 } as const;
  await nullIfAbsent(docker.send(call));
}

/** Its streams, from its start: what is written goes in, what is read comes out, in frames unless it has a terminal. */
export function attachContainer(docker: Docker, id: string, signal: AbortSignal): Promise<Duplex> {
  const query = { stream: true, stdin: true, stdout: true, stderr: true };
  return docker.hijack({ method: "POST", path: pathOf`/containers/${id}/attach`, query, signal });
}

export async function resizeContainer(
  docker: Docker,
  id: string,
  size: { readonly rows: number; readonly columns: number },
  signal: AbortSignal,
): Promise<void> {
  const query = { h: size.rows, w: size.columns };
  await docker.send({ method: "POST", path: pathOf`/containers/${id}/resize`, query, signal });
}

/** Its exit code, when it has ended; with `next-exit` of the life that begins after the call. */
export async function waitContainer(
  docker: Docker,
  id: string,
  signal: AbortSignal,
  condition: "not-running" | "next-exit" = "not-running",
): Promise<number> {
  const query = { condition };
  const call = { method: "POST", path: pathOf`/containers/${id}/wait`, query, signal, timeoutMs: null } as const;
  return (await docker.json(call, z.object({ StatusCode: z.number() }))).StatusCode;
}

export type LogOptions = {
  readonly follow: boolean;
  /** Null: all. */
  readonly tail: number | null;
  /** Seconds since 1970, with a fraction; null: from the beginning. */
  readonly sinceS?: string | null;
};

/** Frames (`framesOf`), each one message with its time before it. */
export function containerLogs(docker: Docker, id: string, options: LogOptions, signal: AbortSignal): Promise<Readable> {
  const query = {
    stdout: true,
    stderr: true,
    timestamps: true,
    follow: options.follow,
    tail: options.tail ?? "all",
    since: options.sinceS ?? undefined,
  };
  return docker.stream({ method: "GET", path: pathOf`/containers/${id}/logs`, query, signal });
}

const stats = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: count }) }),
  memory_stats: z.object({ usage: count, stats: map(z.number()) }),
});

export type Sample = {
  /** CPU time used so far. */
  readonly cpuNs: number;
  /** Without the page cache that the kernel takes back when it needs to. */
  readonly memoryBytes: number;
};

/** One look, without the second that the engine would wait for a rate. Null when it is not there. */
export async function sampleContainer(docker: Docker, id: string, signal: AbortSignal): Promise<Sample | null> {
  const query = { stream: false, "one-shot": true };
  const seen = await nullIfAbsent(
    docker.json({ method: "GET", path: pathOf`/containers/${id}/stats`, query, signal }, stats),
  );
  if (seen === null || seen.memory_stats.usage === 0) return null;
  // cgroup v1 and v2 have different words for it.
  const cache = seen.memory_stats.stats.total_inactive_file ?? seen.memory_stats.stats.inactive_file ?? 0;
  const memoryBytes = Math.max(0, seen.memory_stats.usage - cache);
  return { cpuNs: seen.cpu_stats.cpu_usage.total_usage, memoryBytes };
}

export function labelFilter(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

export async function nullIfAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}
