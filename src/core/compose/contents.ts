import type { ComposeFile, ComposeFileMount, ComposeModel, ComposeMount, ComposeService } from "./model.ts";
import { Notes } from "./notes.ts";
import { isInside } from "./paths.ts";
import type { ComposeReading } from "./read.ts";

/** What the files of a project hold. */
export type Contents = {
  /** Null when there is none; a fault when it cannot be read. */
  readonly text: (path: string) => string | { readonly fault: string } | null;
  /** Files of a directory, at any depth, by their path in it; null when it is none. */
  readonly directory: (path: string) => readonly string[] | null;
  readonly variable: (name: string) => string | undefined;
  /** The repository. */
  readonly root: string;
};

/** More files than that are not settings any more. */
const maxFiles = 100;

/**
 * The model with what its secrets and configs hold, and with the settings that it mounts from the repository (`./nginx.conf`, or a
 * directory that is only read) as configs: the repository is not on the hosts, so they are laid into the container. Pure but for
 * what `contents` reads.
 */
export function withContents(model: ComposeModel, contents: Contents): ComposeReading {
  const notes = new Notes();
  const filled = (kind: "secrets" | "configs") =>
    Object.fromEntries(
      Object.entries(model[kind]).map(
        ([name, file]) => [name, contentOf(file, [kind, name], contents, notes)] as const,
      ),
    );
  const laid: Record<string, ComposeFile> = {};
  const services = Object.entries(model.services).map(
    ([name, service]) => [name, layIn(service, contents, laid)] as const,
  );
  return {
    model: {
      ...model,
      services: Object.fromEntries(services),
      secrets: filled("secrets"),
      configs: { ...filled("configs"), ...laid },
    },
    problems: notes.problems,
  };
}

function contentOf(file: ComposeFile, at: readonly string[], { text, variable }: Contents, notes: Notes): ComposeFile {
  if (file.external || file.content !== null) return file;
  if (file.environment !== null) {
    const content = variable(file.environment);
    if (content === undefined) notes.error(at, `the variable ${file.environment} is not set; set it in the env file`);
    return { ...file, content: content ?? null };
  }
  if (file.file === null) return file;
  const found = text(file.file);
  if (found === null) notes.error(at, `there is no file ${file.file}`);
  else if (typeof found !== "string") notes.error(at, found.fault);
  return { ...file, content: typeof found === "string" ? found : null };
}

function layIn(service: ComposeService, contents: Contents, laid: Record<string, ComposeFile>): ComposeService {
  const configs: ComposeFileMount[] = [];
  const mounts = service.mounts.filter((mount) => {
    const files = settingsOf(mount, contents);
    if (files === null) return true;
    for (const { path, content } of files) {
      const source = `${service.name} ${path}`;
      laid[source] = { ...plainFile, name: source, content };
      configs.push({ source, target: path, uid: null, gid: null, mode: null });
    }
    return false;
  });
  return configs.length === 0 ? service : { ...service, mounts, configs: [...service.configs, ...configs] };
}

const plainFile: Omit<ComposeFile, "name" | "content"> = {
  external: false,
  file: null,
  environment: null,
  labels: {},
  driver: null,
  options: {},
  templateDriver: null,
};

type Laid = { readonly path: string; readonly content: string };

/** What a mount brings, where it is of the repository and nothing that is written; null where it stays a mount. */
function settingsOf({ type, source, target, readOnly }: ComposeMount, contents: Contents): readonly Laid[] | null {
  if (type !== "bind" || source === null || !isInside(source, contents.root)) return null;
  const names = contents.directory(source);
  if (names === null) {
    const content = readOnly || isSettings(source) ? contents.text(source) : null;
    return typeof content === "string" ? [{ path: target, content }] : null;
  }
  if (!readOnly || names.length > maxFiles) return null;
  const files = names.map((name) => ({ path: `${target}/${name}`, content: contents.text(`${source}/${name}`) }));
  return files.every((file): file is Laid => typeof file.content === "string") ? files : null;
}

/** A file that is laid over one of the image is no place for data, whatever its mode. */
export function isSettings(path: string): boolean {
  return /\.(conf|cfg|cnf|ini|ya?ml|json|toml|xml|properties|sh|sql|env|pem|crt|key|sock|php|html)$/.test(path);
}

/** Whether a service mounts from the repository what stays a mount. */
export function mountsRepository({ mounts }: ComposeService, root: string): readonly ComposeMount[] {
  return mounts.filter(({ type, source }) => type === "bind" && source !== null && isInside(source, root));
}
