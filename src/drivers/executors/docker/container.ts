import { join, relative } from "node:path";
import type { ContainerConfig } from "../../../lib/docker/containers.ts";
import type { JobContainer, StepJob } from "../../../ports/executor.ts";

/** Where a step finds the checkout, and its secrets. */
const workspace = "/workspace";
const secretsFile = "/run/slipway-secrets";
const pids = 4_096;

/** Builds give way to the services on the same engine: a tenth of the weight that those have, and out first when memory runs out. */
export const giveWay = { CpuShares: 102, OomScoreAdj: 500 } as const;

/** Which of its variables are secrets: by their values. */
export function secretsOf({ env, secrets }: StepJob): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => secrets.includes(value)));
}

/** As a shell reads it: what is set there is in no argument and not in what the engine tells of the container. */
export function secretsText(secrets: Readonly<Record<string, string>>): string {
  return Object.entries(secrets)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join("");
}

/**
 * A step without privileges: no capabilities, no way to gain any, the user of the control plane, so that what it makes in the
 * workspace is ours. It sees the checkout and nothing else of the machine.
 */
export function containerOf(
  job: StepJob,
  container: JobContainer,
  at: {
    readonly image: string;
    readonly network: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly secrets: string | null;
  },
): ContainerConfig {
  const hidden = secretsOf(job);
  const env = { HOME: "/tmp", LANG: "C.UTF-8", CI: "true", ...job.env };
  const [program = "", ...args] = job.command;
  const mounts = [
    { Type: "bind", Source: container.mount, Target: workspace },
    ...(at.secrets === null ? [] : [{ Type: "bind", Source: at.secrets, Target: secretsFile, ReadOnly: true }]),
  ];
  return {
    Image: at.image,
    Entrypoint: at.secrets === null ? [program] : ["sh", "-c", `. ${secretsFile} && exec "$@"`, "sh", program],
    Cmd: args,
    Env: Object.entries(env).flatMap(([name, value]) => (Object.hasOwn(hidden, name) ? [] : [`${name}=${value}`])),
    User: `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    WorkingDir: join(workspace, relative(container.mount, job.directory)),
    Labels: at.labels,
    HostConfig: {
      NetworkMode: at.network,
      // Ends with all that it has started, however that has left its group.
      Init: true,
      Memory: container.memoryBytes,
      MemorySwap: container.memoryBytes,
      ...(container.cpus === null ? {} : { NanoCpus: Math.round(container.cpus * 1e9) }),
      ...giveWay,
      PidsLimit: pids,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: {} },
      Mounts: mounts,
    },
  };
}
