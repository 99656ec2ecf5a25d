import type { AccessorySpec, ContainerSettings, ServiceSpec } from "../product/spec.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import { answersAnyHost, certificateFiles, edgePort, edgePorts } from "./caddy.ts";
import { dockerfileOf } from "./docker.ts";
import type { SynthProduct } from "./product.ts";
import { type Yaml, yamlText } from "./yaml.ts";

type YamlMap = { readonly [key: string]: Yaml | undefined };

/** The tag of the product's images, and what it is called in the template of variables. */
export const tagVariable = "TAG";
/** What answers in front: 2.8 or newer, as everywhere. */
const caddyImage = "caddy:2.11-alpine";

/** The product as one Compose project: what Slipway runs, without what only it does (switching, watching, taking back). */
export function composeFiles(product: SynthProduct): readonly SynthFile[] {
  return [
    textFile({
      artifact: "compose",
      path: "docker-compose.prod.yml",
      text: `${composeHead(product)}${yamlText(project(product))}`,
    }),
  ];
}

function composeHead({ environment }: SynthProduct): string {
  const file = `.env.${environment.environment}`;
  return `# docker compose --env-file ${file} -f docker-compose.prod.yml up --detach --wait\n`;
}

function project(product: SynthProduct): YamlMap {
  const { environment } = product;
  const services = Object.values(environment.services);
  const accessories = Object.values(environment.accessories);
  const edge = edgeName(product);
  const built = environment.registry === null ? services.flatMap(({ image }) => image.secrets) : [];
  const volumes = [
    ...services.flatMap(({ container }) => container.volumes),
    ...accessories.flatMap((each) => each.volumes),
  ]
    .map(({ source }) => source)
    .filter(isVolume);
  return {
    name: product.name,
    services: {
      ...Object.fromEntries(accessories.map((each) => [each.name, accessoryOf(each)])),
      ...Object.fromEntries(services.map((each) => [each.name, serviceOf(each, product)])),
      ...(isAnswered(product) && { [edge]: edgeOf(product) }),
    },
    ...(built.length > 0 && {
      secrets: Object.fromEntries([...new Set(built)].sort().map((name) => [name, { environment: name }])),
    }),
    ...((volumes.length > 0 || isAnswered(product)) && {
      volumes: Object.fromEntries(
        [...new Set([...volumes, ...(isAnswered(product) ? [`${edge}-data`] : [])])].sort().map((name) => [name, {}]),
      ),
    }),
  };
}

const isAnswered = ({ environment }: SynthProduct): boolean =>
  Object.values(environment.services).some(({ routes }) => routes.length > 0);

/** Not a name that the product has. */
export function edgeName({ environment }: Pick<SynthProduct, "environment">): string {
  const taken = new Set<string>([...Object.keys(environment.services), ...Object.keys(environment.accessories)]);
  return ["edge", "caddy", "slipway-edge", "slipway-caddy"].find((name) => !taken.has(name)) ?? "slipway-front";
}

function serviceOf(service: ServiceSpec, product: SynthProduct): YamlMap {
  const { container, kind } = service;
  const isStatic = kind === "static";
  const inner: YamlMap = {
    ...imageOf(service, product),
    ...(service.command.length > 0 && !isStatic && { command: service.command.map(literal) }),
    environment: {
      ...mapValues(service.env, literal),
      ...secretsOf(service.secrets),
      ...(kind === "web" && { PORT: String(container.port) }),
      SLIPWAY_PRODUCT: product.name,
      SLIPWAY_ENVIRONMENT: String(product.environment.environment),
      SLIPWAY_SERVICE: String(service.name),
      SLIPWAY_VERSION: `\${${tagVariable}:-}`,
      ...(answersAnyHost(product) && { SLIPWAY_EDGE_URL: `http://${edgeName(product)}:${edgePort}` }),
    },
    ...dependsOn(service, product),
    restart: kind === "job" ? "no" : "unless-stopped",
    ...containerOf(container),
    stop_grace_period: seconds(service.stopGraceMs),
    deploy: {
      ...(service.instances !== 1 && kind !== "job" && { replicas: service.instances }),
      ...limitsOf(service.resources),
    },
  };
  return withoutEmpty(inner);
}

/** From the registry by its tag, else built where it runs; the tag is asked for, so that nobody runs what happens to be there. */
function imageOf(service: ServiceSpec, product: SynthProduct): YamlMap {
  const { environment, name } = product;
  const { image } = service;
  if (image.from !== null) return { image: image.from };
  const repository = environment.registry?.repository ?? null;
  const reference = `${repository ?? name}/${service.name}:\${${tagVariable}:?which release, such as sha-0123456789ab}`;
  if (repository !== null) return { image: reference };
  const dockerfile = dockerfileOf(service, product);
  return {
    image: reference,
    build: {
      context: service.path === "." ? "." : `./${service.path}`,
      ...(dockerfile !== "Dockerfile" && { dockerfile }),
      ...(image.stage !== null && { target: image.stage }),
      ...(Object.keys(image.args).length > 0 && { args: mapValues(image.args, literal) }),
      ...(image.secrets.length > 0 && { secrets: [...image.secrets] }),
    },
  };
}

/** A job is waited for until it has ended well; a service that is built by a Dockerfile of ours until it is healthy. */
function dependsOn({ needs }: ServiceSpec, { environment, services }: SynthProduct): YamlMap {
  const conditions = [
    ...Object.values(environment.accessories).map(
      (each) => [each.name, commandOf(each) === null ? "service_started" : "service_healthy"] as const,
    ),
    ...needs.map((name) => {
      const needed = environment.services[name];
      if (needed?.kind === "job") return [name, "service_completed_successfully"] as const;
      const isOurs = needed?.image.from === null && (services[name]?.dockerfile ?? null) === null;
      const isChecked = isOurs && (needed?.kind === "web" || needed?.kind === "static");
      return [name, isChecked ? "service_healthy" : "service_started"] as const;
    }),
  ];
  if (conditions.length === 0) return {};
  return { depends_on: Object.fromEntries(conditions.map(([name, condition]) => [name, { condition }])) };
}

function accessoryOf(accessory: AccessorySpec): YamlMap {
  return withoutEmpty({
    image: accessory.image,
    ...(accessory.command.length > 0 && { command: accessory.command.map(literal) }),
    environment: { ...mapValues(accessory.env, literal), ...secretsOf(accessory.secrets) },
    restart: "unless-stopped",
    ...mountsOf(accessory),
    ...healthcheckOf(accessory),
    stop_grace_period: seconds(accessory.stopGraceMs),
    deploy: limitsOf(accessory.resources),
  });
}

/** The command that says whether it is well; null where the config has none: what its image asks by itself is no worse. */
export function commandOf({ health = false }: Pick<AccessorySpec, "health">): readonly string[] | null {
  return health === false ? null : health.command;
}

/** As Compose has it: failures do not count until the deadline. */
function healthcheckOf(accessory: AccessorySpec): YamlMap {
  const { health = false } = accessory;
  const command = commandOf(accessory);
  if (command === null || health === false) return {};
  const { intervalMs, timeoutMs, deadlineMs } = health;
  const times = { interval: seconds(intervalMs), timeout: seconds(timeoutMs), start_period: seconds(deadlineMs) };
  return { healthcheck: { test: ["CMD", ...command.map(literal)], ...times } };
}

function edgeOf(product: SynthProduct): YamlMap {
  const behind = Object.values(product.environment.services).filter(({ routes }) => routes.length > 0);
  return {
    image: caddyImage,
    depends_on: behind.map(({ name }) => String(name)),
    restart: "unless-stopped",
    ports: edgePorts(product),
    volumes: [
      "./Caddyfile:/etc/caddy/Caddyfile:ro",
      ...certificateFiles(product.environment.edge).map((path) => `${literal(path)}:${literal(path)}:ro`),
      `${edgeName(product)}-data:/data`,
    ],
  };
}

function containerOf(container: ContainerSettings): YamlMap {
  return {
    ...mountsOf(container),
    ...(container.init && { init: true }),
    ...(container.readOnlyRoot && { read_only: true, tmpfs: ["/tmp"] }),
    ...(container.dropCapabilities.length > 0 && { cap_drop: [...container.dropCapabilities] }),
    ...(container.addCapabilities.length > 0 && { cap_add: [...container.addCapabilities] }),
    ...(container.user !== null && { user: container.user }),
    logging: {
      driver: "json-file",
      options: { "max-size": String(container.logs.maxBytes), "max-file": String(container.logs.keep) },
    },
  };
}

function mountsOf({ volumes, hostPorts }: Pick<ContainerSettings, "volumes" | "hostPorts">): YamlMap {
  return {
    ...(hostPorts.length > 0 && {
      ports: hostPorts.map(
        ({ host, hostPort, port }) =>
          `${host === null ? "" : `${host.includes(":") ? `[${host}]` : host}:`}${hostPort}:${port}`,
      ),
    }),
    ...(volumes.length > 0 && {
      volumes: volumes.map(
        ({ source, path, readOnly }) => `${literal(source)}:${literal(path)}${readOnly ? ":ro" : ""}`,
      ),
    }),
  };
}

function limitsOf({ memoryBytes, cpus }: ServiceSpec["resources"]): YamlMap {
  if (memoryBytes === null && cpus === null) return {};
  return {
    resources: {
      limits: {
        ...(cpus !== null && { cpus: String(cpus) }),
        ...(memoryBytes !== null && { memory: String(memoryBytes) }),
      },
    },
  };
}

/** Their names: the values come from the file with variables, and one that is not there stops everything. */
function secretsOf(secrets: ServiceSpec["secrets"]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.keys(secrets ?? {}).map((name) => [name, `\${${name}:?is not in the file with variables}`]),
  );
}

/** A `$` is Compose's sign for a variable. */
export const literal = (text: string): string => text.replaceAll("$", "$$$$");

const isVolume = (source: string): boolean => !source.startsWith("/");
const seconds = (ms: number): string => `${Math.ceil(ms / 1000)}s`;

function mapValues(
  map: Readonly<Record<string, string>>,
  change: (text: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]));
}

function withoutEmpty(map: YamlMap): YamlMap {
  return Object.fromEntries(
    Object.entries(map).filter(([, value]) => typeof value !== "object" || Object.keys(value).length > 0),
  );
}
