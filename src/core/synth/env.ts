import { type SynthFile, textFile } from "./artifact.ts";
import { tagVariable } from "./compose.ts";
import type { SynthProduct } from "./product.ts";

/** A variable that somebody has to set, and what for. */
export type NeededVariable = { readonly name: string; readonly why: readonly string[] };

/** The template of the file with variables: names, never values. */
export function envFiles(product: SynthProduct): readonly SynthFile[] {
  const { environment } = product.environment;
  const lines = [
    `# Copy it to .env.${environment}, fill it in there, and keep that file out of git: it has the secrets of ${environment}.`,
    `# chmod 600 .env.${environment}`,
    ...neededVariables(product).flatMap(({ name, why }) => ["", ...why.map((each) => `# ${each}`), `${name}=`]),
  ];
  return [textFile({ artifact: "env", path: `.env.${environment}.template`, text: `${lines.join("\n")}\n` })];
}

/** What the chosen environment asks of whoever runs it, each once, in the order of their names; the release first. */
export function neededVariables(product: SynthProduct): readonly NeededVariable[] {
  const { services, accessories, registry, probes = [], metrics = [], notifiers = {} } = product.environment;
  const found = new Map<string, string[]>();
  const add = (name: string | null | undefined, why: string): void => {
    if (name == null) return;
    found.set(name, [...(found.get(name) ?? []), why]);
  };
  for (const { name, secrets, image } of Object.values(services)) {
    for (const secret of Object.keys(secrets ?? {})) add(secret, `a secret of ${name}`);
    for (const secret of image.secrets) add(secret, `a secret of the build of ${name}`);
  }
  for (const { name, secrets } of Object.values(accessories))
    for (const secret of Object.keys(secrets ?? {})) add(secret, `a secret of ${name}`);
  add(registry?.passwordFrom, `the password of ${registry?.repository.split("/")[0]}`);
  for (const [name, { urlFrom }] of Object.entries(notifiers)) add(urlFrom, `where ${name} is told, by Slipway`);
  for (const each of [...probes, ...metrics])
    for (const name of variablesIn(each)) add(name, `of what is measured as ${each.name}, by Slipway`);
  const rest = [...found]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, why]) => ({ name, why: [...new Set(why)] }));
  return [{ name: tagVariable, why: ["which release runs: a tag of the images, such as sha-0123456789ab"] }, ...rest];
}

/** Every `…From`, wherever it is: that is how a config names a variable. */
function variablesIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key.endsWith("From") && typeof inner === "string" ? [inner] : variablesIn(inner),
  );
}
