import type { ServiceInput } from "../../../core/product/input.ts";
import { validateProduct } from "../../../core/product/validate.ts";
import type { Detection } from "../detect.ts";
import { sourcesOf } from "./sources.ts";

/** Of the addresses that are kept for examples (RFC 5737): a person sees that it is to be filled in. */
export const exampleHost = "203.0.113.7";

export const dockerPlace = {
  target: { driver: "docker", hosts: [`ssh://deploy@${exampleHost}`] },
  edge: { driver: "caddy", server: `ssh://deploy@${exampleHost}`, listen: ":80" },
} as const;

/** Whether a Dockerfile says that somebody has thought of containers. */
export function hasDockerfile(directory: string): boolean {
  return sourcesOf(directory).has("Dockerfile");
}

/**
 * The same product as containers: a Dockerfile says what is built and run; without one it is generated from what was detected. Hosts
 * stand for those that a person fills in.
 */
export function asContainers(directory: string, detection: Detection): Detection {
  // A Compose file says where and how already.
  if (detection.product.target?.driver === "compose") return detection;
  const sources = sourcesOf(directory);
  const services: Record<string, ServiceInput> = {};
  const told: Record<string, Detection["services"][string]> = {};
  for (const [name, service] of Object.entries(detection.product.services ?? {})) {
    const { from, guesses } = detection.services[name] ?? { from: "?", guesses: [] };
    const path = service.path === undefined ? "Dockerfile" : `${service.path}/Dockerfile`;
    const text = service.kind === "static" ? null : sources.read(path);
    services[name] = text === null ? service : ofDockerfile(service, text);
    // What only a process lacks, an image has.
    const isTold =
      services[name]?.port === undefined
        ? /is not there for a process/
        : /is not there for a process|whether it listens|names port/;
    const kept = guesses.filter((guess) => !isTold.test(guess));
    const image = text === null ? `No ${path}: its image is generated for what is here.` : `Built from ${path}.`;
    told[name] = { from, guesses: [...kept, image] };
  }
  const product = { ...detection.product, services, ...mutable() };
  const { config, problems } = validateProduct(product);
  if (config === null) throw new Error(`the config of containers is not valid: ${JSON.stringify(problems)}`);
  return { product, services: told, notes: detection.notes };
}

/** The command is the image's own, but where one Dockerfile makes several services. */
function ofDockerfile({ command, build: _, ...service }: ServiceInput, text: string): ServiceInput {
  const exposed = /^\s*EXPOSE\s+(\d{1,5})\b/im.exec(text)?.[1];
  const own = /^\s*(?:CMD|ENTRYPOINT)\s/im.test(text);
  return {
    ...service,
    ...(own && service.kind === "web" ? {} : { ...(command === undefined ? {} : { command }) }),
    ...(service.kind === "web" && exposed !== undefined ? { port: Number(exposed) } : {}),
  } as ServiceInput;
}

function mutable() {
  const { target, edge } = dockerPlace;
  return { target: { ...target, hosts: [...target.hosts] }, edge: { ...edge } };
}
