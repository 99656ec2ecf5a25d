import { pathText } from "../product/problems.ts";
import { leftOut, uncarried } from "./carried.ts";
import { type ComposeRole, type ComposeRoles, classifyAll, portOf } from "./classify.ts";
import type { Difference } from "./difference.ts";
import { healthRequest } from "./health-request.ts";
import type { ComposeModel, ComposeService } from "./model.ts";
import { isInside, isRemoteContext } from "./paths.ts";
import { type Routing, routing } from "./routing.ts";
import { type ComposedOptions, contextIn, instancesOf, ourName, toServices } from "./services.ts";
import { type At, field } from "./tree.ts";

/**
 * What is otherwise than with `docker compose up`: for the plan, in the order of the file, the refused first. Empty when
 * nothing is.
 */
export function differences(model: ComposeModel, options: ComposedOptions = {}): readonly Difference[] {
  const root = options.root ?? model.directory;
  const carried = new Set(options.carried ?? []);
  const roles = classifyAll(model);
  const traffic = routing(model, roles);
  const stopFirst = new Map(
    toServices(model, { root }).services.map((one) => [one.composeName, one.stopFirst] as const),
  );
  const names = new Map<string, string[]>();
  for (const name of Object.keys(model.services)) names.set(ourName(name), [...(names.get(ourName(name)) ?? []), name]);
  const found = Object.values(model.services).flatMap((service) => {
    const role = roles.get(service.name)!;
    const at: At = ["services", service.name];
    const all = [
      ...ofNames(service, names),
      ...ofRole(service, role, { stopFirst: stopFirst.get(service.name) ?? null, roles }),
      ...ofTraffic(service, role, traffic),
      ...ofPort(service, role),
      ...ofHealth(service, role),
      ...(role.kind === "accessory" ? [] : ofRollout(service, role, roles)),
      ...ofBuild(service, role, root),
      ...ofKeys(service, role, carried),
      ...ofFiles(service, role, model, root),
    ];
    return all.map(({ at: below, consequence, sentence }) => ({
      path: pathText([...at, ...below]),
      consequence,
      sentence,
    }));
  });
  const all = [...found, ...ofProject(model)];
  return [
    ...all.filter(({ consequence }) => consequence === "refused"),
    ...all.filter(({ consequence }) => consequence !== "refused"),
  ];
}

type Own = Pick<Difference, "consequence" | "sentence"> & { readonly at: At };

const own = (consequence: Difference["consequence"], at: At, sentence: string): Own => ({ at, consequence, sentence });

function ofNames(service: ComposeService, names: ReadonlyMap<string, readonly string[]>): readonly Own[] {
  const name = ourName(service.name);
  const alike = (names.get(name) ?? []).filter((other) => other !== service.name);
  if (alike.length > 0)
    return [own("refused", [], `would be called ${name}, like ${alike.join(" and ")}; give one of them another name`)];
  return name === service.name
    ? []
    : [own("different", [], `is called ${name} in Slipway; in its networks it keeps its name`)];
}

function ofRole(
  service: ComposeService,
  role: ComposeRole,
  { stopFirst, roles }: { readonly stopFirst: string | null; readonly roles: ComposeRoles },
): readonly Own[] {
  const kindAt = service.slipway?.kind == null ? [] : ["x-slipway", "kind"];
  switch (role.kind) {
    case "accessory":
      return [
        ...Object.keys(service.dependsOn)
          .filter((name) => roles.has(name) && roles.get(name)?.kind !== "accessory")
          .map((name) =>
            own(
              "refused",
              ["depends_on", name],
              `${service.name} is left running through all releases of ${name}, which it would lose; let it be released with it (x-slipway.kind: ${service.ports.length > 0 ? "web" : "worker"}), or take this line away`,
            ),
          ),
        own(
          "different",
          kindAt,
          `is left running, since it ${bare(role.why)}; a change of it here is made only when you ask for it`,
        ),
        ...(service.build === null
          ? []
          : [
              own(
                "refused",
                ["build"],
                "an accessory is not built here; name an image, or make it a web or worker by x-slipway",
              ),
            ]),
      ];
    case "job":
      return [
        own("different", kindAt, `runs once in each deployment, since ${role.why}; when it fails, nothing is switched`),
      ];
    case "web":
    case "worker": {
      return stopFirst === null
        ? []
        : [
            own(
              "different",
              [],
              `is stopped before its next release starts, since ${stopFirst}; for no gap take that away${/^two/.test(stopFirst) ? ", or set x-slipway.stopFirst to false where two may" : ""}`,
            ),
          ];
    }
  }
}

function bare(why: string): string {
  return why.startsWith("its image is")
    ? why.replace("its image is", "is")
    : why === "x-slipway says so"
      ? "is said to be an accessory by x-slipway"
      : why;
}

function ofTraffic(service: ComposeService, role: ComposeRole, traffic: Routing): readonly Own[] {
  const { routes, hostPorts } = traffic;
  const stays = hostPorts.get(service.name) ?? [];
  const routed = (routes.get(service.name) ?? []).map(({ host, path }) => `${host ?? ""}${path}`);
  return service.ports.flatMap((port, index): readonly Own[] => {
    const at = ["ports", index];
    const { published, protocol } = port;
    if (!stays.includes(port))
      return published === "443"
        ? [
            own(
              "different",
              at,
              "TLS ends at Slipway's edge, which passes plain HTTP on; the service needs no certificate",
            ),
          ]
        : [
            own(
              "different",
              at,
              `requests come through Slipway's edge at ${routed.join(", ")}${published === null ? "" : `, no more by port ${published}`}`,
            ),
          ];
    if (published === null)
      return [own("ignored", at, "is not published at a free port of the host; others reach it by its name")];
    if (protocol !== "tcp")
      return [
        own(
          "refused",
          at,
          `a target publishes no ${protocol} port; take ${published}/${protocol} out, or keep it in another Compose file`,
        ),
      ];
    if (published.includes("-"))
      return [own("refused", at, `one port of the range ${published} is not chosen; name one port`)];
    return role.kind === "web"
      ? [
          own(
            "different",
            at,
            `has no route, so port ${published} of the host leads to one container only; set x-slipway.route for a switch without a gap`,
          ),
        ]
      : [];
  });
}

function ofHealth(service: ComposeService, role: ComposeRole): readonly Own[] {
  const { health } = service;
  const told = service.slipway?.healthPath ?? null;
  const asked = healthRequest(service);
  if (role.kind === "web") {
    const path = told ?? asked;
    if (path === null)
      return [
        own(
          "different",
          health === null ? [] : ["healthcheck"],
          "is healthy when GET / answers with a page or a redirect; for another path set x-slipway.health",
        ),
      ];
    const by = told === null ? ", the path that its healthcheck asks" : "";
    return [
      own(
        "different",
        told === null ? ["healthcheck"] : ["x-slipway", "health"],
        `is asked GET ${path} from outside the container${by}`,
      ),
    ];
  }
  return [];
}

/** The port that requests go to is told in PORT, whatever the file says there. */
function ofPort(service: ComposeService, role: ComposeRole): readonly Own[] {
  const port = portOf(service);
  if (role.kind !== "web")
    return (service.slipway?.routes ?? []).length === 0
      ? []
      : [
          own(
            "refused",
            ["x-slipway", "route"],
            `a route leads to a web service, and this is ${aKind(role.kind)}; set x-slipway.kind`,
          ),
        ];
  if (port === null)
    return [own("refused", [], "no port is published or exposed for requests to go to; set x-slipway.port")];
  const told = field(service.environment, "PORT") ?? null;
  if (told === null || told === String(port)) return [];
  return [own("different", ["environment", "PORT"], `is ${port} in the container, since that is where requests go`)];
}

function aKind(kind: ComposeRole["kind"]): string {
  return kind === "accessory" ? "an accessory" : `a ${kind}`;
}

function ofRollout(service: ComposeService, role: ComposeRole, roles: ComposeRoles): readonly Own[] {
  const { deploy, restart } = service;
  const asked = instancesOf(service);
  const found: Own[] = [];
  if (asked === 0)
    found.push(
      own(
        "refused",
        [service.scale === null ? "deploy" : "scale"],
        "a service has at least one instance; leave it out by a profile",
      ),
    );
  if (role.kind === "job" && asked !== null && asked > 1)
    found.push(own("ignored", ["deploy", "replicas"], "a job runs once"));
  if (role.kind !== "job" && (restart === null || restart === "no" || restart.startsWith("on-failure")))
    found.push(
      own(
        "different",
        restart === null ? [] : ["restart"],
        "is started again whenever it ends; make it a job by x-slipway.kind if it should end",
      ),
    );
  if (deploy?.restart != null)
    found.push(
      own(
        "different",
        ["deploy", "restart_policy"],
        "Slipway restarts with a pause that grows, and takes a release back that keeps failing",
      ),
    );
  if (deploy?.update != null)
    found.push(
      own(
        "different",
        ["deploy", "update_config"],
        "how a release is rolled out is set in slipway.config under rollout",
      ),
    );
  if (deploy?.rollback != null)
    found.push(own("ignored", ["deploy", "rollback_config"], "going back is one switch of traffic"));
  if (deploy?.mode === "global")
    found.push(
      own("refused", ["deploy", "mode"], "one instance on every host cannot be asked for; set deploy.replicas"),
    );
  if (deploy?.mode?.endsWith("-job"))
    found.push(own("refused", ["deploy", "mode"], "jobs of Swarm are not run; set x-slipway.kind to job"));
  if (Object.keys(deploy?.placement ?? {}).length > 0)
    found.push(own("ignored", ["deploy", "placement"], "instances are spread over the hosts evenly"));
  if (deploy?.reservations != null)
    found.push(own("ignored", ["deploy", "resources", "reservations"], "only limits are set"));
  if (Object.values(service.networks).some((attached) => attached?.ipv4 != null || attached?.ipv6 != null))
    found.push(own("ignored", ["networks"], "has no fixed address: two releases stand side by side"));
  for (const [name, { condition, restart: follows }] of Object.entries(service.dependsOn)) {
    // Accessories run before any service is started, whatever is written here.
    if (condition === "service_started" && roles.has(name) && roles.get(name)?.kind !== "accessory")
      found.push(
        own("different", ["depends_on", name], `waits until ${name} is healthy, not only until it has been started`),
      );
    if (follows) found.push(own("ignored", ["depends_on", name, "restart"], `is not restarted when ${name} is`));
  }
  return found;
}

function ofBuild(service: ComposeService, role: ComposeRole, root: string): readonly Own[] {
  const { build } = service;
  if (build === null || role.kind === "accessory") return [];
  const found: Own[] = [];
  if (isRemoteContext(build.context))
    found.push(
      own(
        "refused",
        ["build", "context"],
        "only what is in this repository is built; check the other one out in it, or name an image",
      ),
    );
  else if (contextIn(service, root) === null)
    found.push(
      own("refused", ["build", "context"], `${build.context} is outside of the repository, so it is in no commit`),
    );
  if (build.dockerfileInline !== null)
    found.push(own("refused", ["build", "dockerfile_inline"], "write it to a Dockerfile in the repository"));
  if (build.dockerfile?.startsWith("/") || build.dockerfile?.split("/").includes(".."))
    found.push(own("refused", ["build", "dockerfile"], "it has to be in the context"));
  if (Object.keys(build.additionalContexts).length > 0)
    found.push(
      own(
        "refused",
        ["build", "additional_contexts"],
        "one context is built; copy from images by COPY --from in the Dockerfile",
      ),
    );
  if (build.cacheFrom.length + build.cacheTo.length > 0)
    found.push(own("ignored", ["build", "cache_from"], "the engine's own layer cache is used"));
  for (const key of ["tags", "labels"] as const)
    if (Object.keys(build[key]).length > 0)
      found.push(
        own("ignored", ["build", key], `images get Slipway's own ${key}; what is deployed is known by its digest`),
      );
  for (const key of Object.keys(build.other))
    found.push(own("ignored", ["build", key], "is not passed to the builder"));
  if (build.network !== null) found.push(own("ignored", ["build", "network"], "is not passed to the builder"));
  if (service.image !== null)
    found.push(own("ignored", ["image"], "the image is named by Slipway; registry and name are set in slipway.config"));
  return found;
}

function ofKeys(service: ComposeService, role: ComposeRole, carried: ReadonlySet<string>): readonly Own[] {
  const logs = service.logging?.driver ?? "json-file";
  const kept = logs === "json-file" || logs === "local" || carried.has("logging");
  const left = "is left as docker compose has made it, since Slipway could not make it so";
  return [
    ...uncarried(service, carried).map(({ key, why }) =>
      role.kind === "accessory"
        ? own("different", [key], left)
        : own("refused", [key], `cannot be carried out; ${why}`),
    ),
    ...leftOut(service, carried).map(({ key, why }) => own("ignored", key.split("."), why)),
    ...(kept
      ? []
      : [own("different", ["logging", "driver"], `logs are kept on the host, for slipway logs, not sent to ${logs}`)]),
  ];
}

function ofFiles(service: ComposeService, role: ComposeRole, model: ComposeModel, root: string): readonly Own[] {
  const external = (["secrets", "configs"] as const).flatMap((kind) =>
    service[kind]
      .filter(({ source }) => field(model[kind], source)?.external === true)
      .map(({ source }) =>
        own("refused", [kind], `${source} is kept by Swarm, which is not here; give it a file or an environment`),
      ),
  );
  const mounts = service.mounts.flatMap(({ type, source }, index) => {
    if (type === "bind" && source !== null && isInside(source, root))
      return [
        role.kind === "accessory"
          ? own(
              "different",
              ["volumes", index],
              "is in the repository, which is not on the hosts: it is used as docker compose has made it, and cannot be made here",
            )
          : own(
              "refused",
              ["volumes", index],
              "is in the repository, which is not on the hosts; COPY it in the Dockerfile, name a path of the host, or mount settings read-only (:ro), which are laid in",
            ),
      ];
    if (type === "cluster" || type === "npipe" || type === "image")
      return [own("refused", ["volumes", index], `a mount of type ${type} cannot be carried out`)];
    if (source !== null && type === "bind" && source.endsWith("/docker.sock"))
      return [
        own(
          "different",
          ["volumes", index],
          "it sees all containers of the host, also those of releases that get no traffic",
        ),
      ];
    return [];
  });
  return [...external, ...mounts];
}

function ofProject(model: ComposeModel): readonly Difference[] {
  const found: Difference[] = [];
  const volumes = Object.entries(model.volumes).filter(
    ([, volume]) => volume.driver !== null && volume.driver !== "local",
  );
  for (const [name, { driver }] of volumes)
    found.push({
      path: pathText(["volumes", name, "driver"]),
      consequence: "refused",
      sentence: `volumes are the engine's own, not those of ${driver}`,
    });
  if (Object.keys(model.other).length > 0)
    found.push({ path: "models", consequence: "refused", sentence: "models are not run" });
  return found;
}
