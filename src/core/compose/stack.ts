import { type Problem, pathText } from "../product/problems.ts";
import type { ComposedSettings } from "../product/spec.ts";
import { carriedByDocker, uncarried } from "./carried.ts";
import { portOf } from "./classify.ts";
import type { ComposeBuild, ComposeDependency, ComposeModel, ComposeMount, ComposeService } from "./model.ts";
import { isInside, isRemoteContext } from "./paths.ts";
import { bareSettings, composedSettings } from "./settings.ts";
import { type At, field } from "./tree.ts";

/** A Compose project to throw away: nothing of it is shared with another, and none of its ports are those of the host. */
export type Stack = {
  /** Keys of its networks in the file. */
  readonly networks: readonly { readonly key: string; readonly internal: boolean }[];
  /** Keys of its volumes, which begin empty. */
  readonly volumes: readonly string[];
  /** In an order in which each comes after those that it waits for; without the one whose end is waited for. */
  readonly beside: readonly StackService[];
  /** The one whose exit code counts; null when none was named. */
  readonly service: StackService | null;
};

/** One container of it. */
export type StackService = {
  readonly name: string;
  /** Null when it is built. */
  readonly image: string | null;
  readonly build: StackBuild | null;
  readonly env: Readonly<Record<string, string>>;
  readonly settings: ComposedSettings;
  /** Keys of networks, and what it is called there. */
  readonly networks: readonly string[];
  readonly mounts: readonly StackMount[];
  readonly user: string | null;
  readonly hostname: string | null;
  readonly readOnlyRoot: boolean;
  readonly init: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  /** The first that it says it listens on. */
  readonly port: number | null;
  readonly after: readonly { readonly name: string; readonly until: ComposeDependency["condition"] }[];
};

export type StackBuild = {
  /** Absolute, in the checkout. */
  readonly context: string;
  readonly dockerfile: string | null;
  readonly stage: string | null;
  readonly args: Readonly<Record<string, string>>;
};

export type StackMount = {
  readonly is: "bind" | "volume";
  /** Of a bind absolute, in the checkout; of a volume its key, null for one without a name. */
  readonly source: string | null;
  readonly path: string;
  readonly readOnly: boolean;
};

export type StackReading = { readonly stack: Stack | null; readonly problems: readonly Problem[] };

/** What the engine gives every container, and what is no way out of one. */
const harmless = new Set([
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"],
  ...["NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE", "IPC_LOCK", "SYS_NICE", "SYS_PTRACE"],
]);

/**
 * A project as the containers of one step. `root` is the checkout: nothing else of the machine is built or mounted, and no container
 * gets more than the engine gives to any. What cannot be is among the problems, all at once. Pure.
 */
export function toStack(
  model: ComposeModel,
  { root, service }: { readonly root: string; readonly service: string | null },
): StackReading {
  const all = Object.values(model.services);
  const problems: Problem[] = all.flatMap((each) =>
    problemsOf(each, model, root).map(({ at, message }) => problem(["services", each.name, ...at], message)),
  );
  for (const kind of ["networks", "volumes", "secrets", "configs"] as const)
    for (const [key, { external }] of Object.entries(model[kind]))
      if (external)
        problems.push(problem([kind, key, "external"], "is of somebody else; what a step has is made for it alone"));
  for (const [key, { driver }] of Object.entries(model.volumes))
    if (driver !== null && driver !== "local")
      problems.push(problem(["volumes", key, "driver"], `volumes are the engine's own, not those of ${driver}`));
  if (service !== null) {
    if (field(model.services, service) === undefined)
      problems.push(problem(["services"], `there is no service ${service}; it has ${names(all)}`));
    for (const { name, dependsOn } of all)
      if (field(dependsOn, service) !== undefined)
        problems.push(
          problem(
            ["services", name, "depends_on", service],
            `when ${service} ends, so does the step: nothing comes after`,
          ),
        );
  }
  if (problems.length > 0) return { stack: null, problems };
  const ordered = inOrder(model.services).map((each) => stackService(each, model));
  return {
    stack: {
      networks: Object.entries(model.networks).map(([key, { internal }]) => ({ key, internal })),
      volumes: Object.keys(model.volumes),
      beside: ordered.filter(({ name }) => name !== service),
      service: ordered.find(({ name }) => name === service) ?? null,
    },
    problems: [],
  };
}

const names = (all: readonly ComposeService[]): string => all.map(({ name }) => name).join(", ");

function problem(at: At, message: string): Problem {
  return { path: pathText(at), message, seen: null, allowed: null, guess: null, severity: "error" };
}

type Own = { readonly at: At; readonly message: string };

function problemsOf(service: ComposeService, model: ComposeModel, root: string): readonly Own[] {
  return [
    ...uncarried(service, new Set(carriedByDocker)).map(({ key }) => ({
      at: [key],
      message: "is not given to what runs for a step",
    })),
    ...service.addCapabilities
      .filter((name) => !harmless.has(name.toUpperCase().replace(/^CAP_/, "")))
      .map((name) => ({ at: ["cap_add"], message: `${name} is a way out of the container, which no step has` })),
    ...service.securityOptions
      .filter((option) => !/^no-new-privileges(?:[:=]true)?$/.test(option))
      .map((option) => ({ at: ["security_opt"], message: `${option} would take protection away` })),
    ...(service.build === null ? [] : problemsOfBuild(service.build, root)),
    ...service.mounts.flatMap((mount, index) =>
      problemsOfMount(mount, { service, root }).map((message) => ({ at: ["volumes", index], message })),
    ),
    ...Object.keys(service.networks).flatMap((key) =>
      field(model.networks, key)?.driver == null || field(model.networks, key)?.driver === "bridge"
        ? []
        : [{ at: ["networks", key], message: "networks of a step are bridges of its engine" }],
    ),
  ];
}

function problemsOfBuild(build: ComposeBuild, root: string): readonly Own[] {
  const isHere = !isRemoteContext(build.context) && isInside(build.context, root);
  const wrong: readonly (readonly [key: string, isWrong: boolean, message: string])[] = [
    ["context", !isHere, `${build.context} is not in the checkout`],
    ["dockerfile_inline", build.dockerfileInline !== null, "write it to a Dockerfile in the repository"],
    ["dockerfile", build.dockerfile?.startsWith("/") === true, "is relative to the context"],
    ["additional_contexts", Object.keys(build.additionalContexts).length > 0, "one context is built"],
    ["secrets", build.secrets.length > 0, "nothing secret is given to a build of a step"],
  ];
  return wrong.flatMap(([key, isWrong, message]) => (isWrong ? [{ at: ["build", key], message }] : []));
}

function problemsOfMount(
  { type, source, readOnly, volume }: ComposeMount,
  { service, root }: { readonly service: ComposeService; readonly root: string },
): readonly string[] {
  if (type === "tmpfs") return [];
  if (type !== "bind" && type !== "volume") return [`a mount of type ${type} cannot be carried out`];
  if (type === "volume") return volume?.subpath == null ? [] : ["a part of a volume cannot be mounted"];
  if (source === null || !isInside(source, root))
    return [`${source} is not in the checkout; a step sees nothing else of the machine`];
  if (readOnly || service.user === null) return [];
  return [
    "what writes to the checkout runs as the control plane's user, so that it can be removed: take user away, or mount it read-only (:ro)",
  ];
}

/** Each after those that it waits for; there are no circles. */
function inOrder(services: ComposeModel["services"]): readonly ComposeService[] {
  const done = new Map<string, ComposeService>();
  const visit = (service: ComposeService): void => {
    if (done.has(service.name)) return;
    for (const name of Object.keys(service.dependsOn)) {
      const needed = field(services, name);
      if (needed !== undefined) visit(needed);
    }
    done.set(service.name, service);
  };
  for (const service of Object.values(services)) visit(service);
  return [...done.values()];
}

function stackService(service: ComposeService, model: ComposeModel): StackService {
  const { build, deploy, limits, environment, mounts } = service;
  const memory = deploy?.limits?.memoryBytes ?? limits.memoryBytes;
  const cpus = deploy?.limits?.cpus ?? limits.cpus;
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== null);
  return {
    name: service.name,
    image: build === null ? service.image : null,
    build:
      build === null
        ? null
        : { context: build.context, dockerfile: build.dockerfile, stage: build.target, args: build.args },
    env: Object.fromEntries(set),
    settings: composedSettings(service, model, { notMade: [], untilHealthy: false, after: [] }),
    networks: Object.keys(service.networks),
    mounts: mounts.flatMap(({ type, source, target, readOnly }) =>
      type === "bind" || type === "volume" ? [{ is: type, source, path: target, readOnly }] : [],
    ),
    user: service.user,
    hostname: service.hostname,
    readOnlyRoot: service.readOnly,
    init: service.init ?? false,
    addCapabilities: service.addCapabilities,
    dropCapabilities: service.dropCapabilities,
    memoryBytes: memory === null || memory <= 0 ? null : memory,
    cpus: cpus === null || cpus <= 0 ? null : cpus,
    port: portOf(service),
    after: Object.entries(service.dependsOn).flatMap(([name, { condition }]) =>
      field(model.services, name) === undefined ? [] : [{ name, until: condition }],
    ),
  };
}

/** An accessory of the config as one of a stack: on the network that all are in, under its name. */
export function besideService({
  name,
  image,
  command,
  env,
  port,
  memoryBytes,
}: Pick<StackService, "name" | "env" | "port" | "memoryBytes"> & {
  readonly image: string;
  readonly command: readonly string[];
}): StackService {
  return {
    name,
    image,
    build: null,
    env,
    settings: { ...bareSettings(name), command: command.length === 0 ? null : command },
    networks: ["default"],
    mounts: [],
    user: null,
    hostname: name,
    readOnlyRoot: false,
    init: false,
    addCapabilities: [],
    dropCapabilities: [],
    memoryBytes,
    cpus: null,
    port,
    after: [],
  };
}
