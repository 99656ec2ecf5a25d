import { murmur32 } from "../hash.ts";
import { type EnvironmentName, environmentName } from "../ids.ts";
import type { AnyRef } from "../triggers/event.ts";

/** So much of a branch's own name is kept where that cannot be the whole name. */
const keptLetters = 27;
/** What a branch may be called to keep its name as it is: nothing that a pull request, or a shortened name, could be called too. */
const plainName = /^(?!pr-\d+$)(?!.*-[0-9a-f]{8}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const plainLetters = 30;

/**
 * The environment of a branch or a pull request: `preview/cart`, `preview/feature-cart-5f0c2a91`, `preview/pr-12`. Safe in a host name,
 * a path and a label, whatever the branch is called. Two names are the same only when the refs are, or when 32 bits of two branches' hashes
 * are; who makes one looks whose it is.
 */
export function previewName(template: EnvironmentName, { kind, name }: AnyRef): EnvironmentName {
  if (kind === "pull-request") return environmentName(`${template}/pr-${name}`);
  if (name.length <= plainLetters && plainName.test(name)) return environmentName(`${template}/${name}`);
  const words = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[-0-9]+|-+$/g, "")
    .slice(0, keptLetters)
    .replace(/-+$/, "");
  return environmentName(
    `${template}/${words === "" ? "branch" : words}-${murmur32(name).toString(16).padStart(8, "0")}`,
  );
}

/** `preview` of `preview/pr-12`; null for an environment that can be nobody's preview. */
export function templateOf(environment: EnvironmentName): EnvironmentName | null {
  const slash = environment.indexOf("/");
  return slash < 0 ? null : environmentName(environment.slice(0, slash));
}

/** What stands for a preview in its host name. */
export function ownPart(environment: EnvironmentName): string {
  return environment.slice(environment.indexOf("/") + 1);
}

/** What `{name}` of a host pattern stands for. */
export const namePlace = "{name}";

export function previewHost(pattern: string, environment: EnvironmentName): string {
  return pattern.replace(namePlace, ownPart(environment));
}
