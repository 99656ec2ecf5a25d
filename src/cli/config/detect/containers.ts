import { dirname } from "node:path";
import type { ServiceInput } from "../../../core/product/input.ts";
import { validateProduct } from "../../../core/product/validate.ts";
import { type Detection, detectProduct } from "../detect.ts";
import { type Sources, sourcesOf } from "./sources.ts";

/** Of the addresses that are kept for examples (RFC 5737): a person sees that it is to be filled in. */
export const exampleHost = "203.0.113.7";

export const dockerPlace = {
  target: { driver: "docker", hosts: [`ssh://deploy@${exampleHost}`] },
  edge: { driver: "caddy", server: `ssh://deploy@${exampleHost}`, listen: ":80" },
} as const;

/** Whether a Dockerfile says that somebody has thought of containers. */
export function hasDockerfile(directory: string): boolean {
  if (sourcesOf(directory).has("Dockerfile")) return true;
  return Object.values(detectProduct(directory).services).some(({ dockerfile }) => dockerfile !== undefined);
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
    const { from, guesses, dockerfile } = detection.services[name] ?? { from: "?", guesses: [] };
    const path = dockerfile ?? (service.path === undefined ? "Dockerfile" : `${service.path}/Dockerfile`);
    const found = sources.read(path);
    const text = service.kind === "static" ? null : found;
    const isShared = dockerfile === undefined || dockerfile === "Dockerfile";
    services[name] = text === null ? service : ofDockerfile(service, text, { isShared });
    if (text !== null && dockerfile !== undefined && !isShared) {
      const { path: _, ...rest } = services[name];
      services[name] = { ...rest, ...contextOf(sources, dockerfile, text) } as ServiceInput;
    }
    // What only a process lacks, an image has.
    const isTold =
      services[name]?.port === undefined
        ? /is not there for a process/
        : /is not there for a process|whether it listens|names port/;
    const kept = guesses.filter((guess) => !isTold.test(guess));
    const image =
      text !== null
        ? `Built from ${path}.`
        : found === null
          ? `No ${path}: its image is generated for what is here.`
          : `${path} is not used: it is files that are built, and an image is generated that serves them; with it, its kind is web.`;
    told[name] = { from, guesses: [...kept, image] };
  }
  const product = { ...detection.product, services, ...mutable() };
  const { config, problems } = validateProduct(product);
  if (config === null) throw new Error(`the config of containers is not valid: ${JSON.stringify(problems)}`);
  return { product, services: told, notes: detection.notes };
}

/**
 * What a Dockerfile in a directory copies says from where it is built: from the top, when that is only there (a lock file, neighbours) or
 * is named from there; else from its own directory.
 */
function contextOf(sources: Sources, dockerfile: string, text: string): Pick<ServiceInput, "path" | "image"> {
  const directory = dirname(dockerfile);
  const copied = text
    .replaceAll(/\\\r?\n/g, " ")
    .split("\n")
    .filter((line) => /^\s*(?:COPY|ADD)\s/i.test(line) && !/\s--from=/.test(line))
    .flatMap((line) =>
      line
        .trim()
        .split(/[\s"[\],]+/)
        .slice(1, -1)
        .filter((word) => word !== "" && !word.startsWith("--")),
    )
    .map((word) => word.replace(/^\.?\//, ""));
  const isOfTop = copied.some((word) => {
    return `${word}/`.startsWith(`${directory}/`) || (sources.has(word) && !sources.has(`${directory}/${word}`));
  });
  return isOfTop ? { image: { dockerfile } } : { path: directory };
}

/** The command is the image's own, but where one Dockerfile makes several services. */
function ofDockerfile(
  { command, build: _, ...service }: ServiceInput,
  text: string,
  { isShared }: { readonly isShared: boolean },
): ServiceInput {
  const exposed = /^\s*EXPOSE\s+(\d{1,5})\b/im.exec(text)?.[1];
  const own = /^\s*(?:CMD|ENTRYPOINT)\s/im.test(text);
  return {
    ...service,
    ...(own && (service.kind === "web" || !isShared) ? {} : { ...(command === undefined ? {} : { command }) }),
    ...(service.kind === "web" && exposed !== undefined ? { port: Number(exposed) } : {}),
  } as ServiceInput;
}

function mutable() {
  const { target, edge } = dockerPlace;
  return { target: { ...target, hosts: [...target.hosts] }, edge: { ...edge } };
}
