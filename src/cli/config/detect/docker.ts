import { parseDocument } from "yaml";
import type { ServiceInput } from "../../../core/product/input.ts";
import {
  commandOf,
  type Draft,
  fixedPort,
  healthOf,
  healthPathIn,
  isObject,
  nothing,
  type Reading,
  type Sources,
  texts,
} from "./sources.ts";

const composeFiles = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/**
 * A Compose file: what is built here is a service, what comes as an image is an accessory. A Dockerfile alone: one
 * service. The target runs processes, so the command is taken, and what the image installs is told.
 */
export function readDocker(sources: Sources): Reading {
  const file = composeFiles.find((name) => sources.has(name));
  if (file !== undefined) return readCompose(sources, file);
  const draft = dockerfileDraft(sources, "");
  return draft === null ? nothing : { drafts: [draft], notes: [] };
}

/** One service, of the Dockerfile in a directory; null where there is none that says what runs. */
export function dockerfileDraft(sources: Sources, directory: string): Draft | null {
  const file = directory === "" ? "Dockerfile" : `${directory}/Dockerfile`;
  const image = readDockerfile(sources, file);
  if (image === null || image.command === null) return null;
  const { guesses, ...health } = healthOf(image.health);
  const listens = image.exposes;
  const service: ServiceInput = {
    kind: listens ? "web" : "worker",
    ...(directory === "" ? {} : { path: directory }),
    command: image.command,
    ...(listens ? health : {}),
  };
  return {
    name: listens ? "web" : "worker",
    from: `${file}: CMD${listens ? ", EXPOSE" : ""}`,
    service,
    guesses: [...(listens ? guesses : []), ...image.guesses],
    dockerfile: file,
  };
}

function readCompose(sources: Sources, file: string): Reading {
  const document = parseDocument(sources.read(file) ?? "", { merge: true, logLevel: "silent" });
  const root: unknown =
    document.errors.length > 0 ? null : safely(() => document.toJS({ maxAliasCount: 100 }) as unknown);
  if (!isObject(root) || !isObject(root.services)) return { drafts: [], notes: [`${file} could not be read.`] };
  const entries = Object.entries(root.services).filter((entry): entry is [string, Record<string, unknown>] =>
    isObject(entry[1]),
  );
  const built = entries.filter(([, service]) => service.build !== undefined);
  const names = new Set(built.map(([name]) => name));
  const drafts = built.map(([name, service]) => composeDraft(sources, file, name, service, names));
  const accessories = entries.filter(([name, { image }]) => !names.has(name) && typeof image === "string");
  const notes = accessories.map(
    ([name, { image }]) =>
      `${file}: ${name} (${image}) is an accessory: Slipway does not release it; let it run as it does now, and give services its address in env.`,
  );
  return {
    drafts: drafts.filter((draft) => draft !== null),
    notes,
    ...(typeof root.name === "string" ? { product: root.name } : {}),
  };
}

function composeDraft(
  sources: Sources,
  file: string,
  name: string,
  service: Record<string, unknown>,
  names: ReadonlySet<string>,
): Draft | null {
  const build = isObject(service.build) ? service.build : { context: service.build };
  const context = typeof build.context === "string" ? build.context.replace(/^\.\/|\/$/g, "") : "";
  const path = context === "" || context === "." ? "." : context;
  if (/\.\.|^\/|:\/\//.test(path)) return null;
  const dockerfile = typeof build.dockerfile === "string" ? build.dockerfile : "Dockerfile";
  const image = readDockerfile(sources, path === "." ? dockerfile : `${path}/${dockerfile}`);
  const own = typeof service.command === "string" ? commandOf(service.command) : texts(service.command);
  const command = own.length > 0 ? [...own] : (image?.command ?? ["./start"]);
  const unknown = own.length === 0 && !image?.command ? ["Its command was not found; ./start stands for it."] : [];
  const listens = Array.isArray(service.ports) || Array.isArray(service.expose) || image?.exposes === true;
  const needed = (isObject(service.depends_on) ? Object.keys(service.depends_on) : texts(service.depends_on)).filter(
    (other) => names.has(other) && other !== name,
  );
  const test = isObject(service.healthcheck) ? [service.healthcheck.test].flat().join(" ") : "";
  const { guesses, ...health } = healthOf(/https?:\/\/[^/\s"']+(\/[\w./-]*)/.exec(test)?.[1] ?? image?.health ?? null);
  return {
    name,
    from: `${file}: ${name}`,
    guesses: [...unknown, ...(listens ? guesses : []), ...(image?.guesses ?? [])],
    service: {
      kind: listens ? "web" : "worker",
      ...(path === "." ? {} : { path }),
      command,
      ...(listens ? health : {}),
      ...(needed.length > 0 ? { needs: needed } : {}),
    },
  };
}

type Image = {
  readonly command: string[] | null;
  readonly exposes: boolean;
  readonly health: string | null;
  readonly guesses: readonly string[];
};

function readDockerfile(sources: Sources, path: string): Image | null {
  const text = sources.read(path);
  if (text === null) return null;
  const lines = text
    .replaceAll(/\\\r?\n/g, " ")
    .split("\n")
    .map((line) => line.trim());
  const last = (word: string) =>
    lines
      .findLast((line) => line.toUpperCase().startsWith(`${word} `))
      ?.slice(word.length + 1)
      .trim();
  const entry = argumentsOf(last("ENTRYPOINT"));
  const command = [...entry, ...argumentsOf(last("CMD"))];
  const installs = lines.some((line) => /^RUN\s/i.test(line));
  return {
    command: command.length > 0 && command[0] !== "" ? command : null,
    exposes: last("EXPOSE") !== undefined,
    health: healthPathIn(`"${/https?:\/\/[^/\s]+(\/[\w./-]*)/.exec(last("HEALTHCHECK") ?? "")?.[1] ?? ""}"`),
    guesses: [
      ...(installs
        ? [`What ${path} installs with RUN is not there for a process: put it in build, or on the machine.`]
        : []),
      ...fixedPort(command.join(" ")),
    ],
  };
}

/** `["node", "x"]` or a shell line. */
function argumentsOf(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  if (!text.startsWith("[")) return commandOf(text);
  return texts(safely(() => JSON.parse(text) as unknown));
}

function safely(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return null;
  }
}
