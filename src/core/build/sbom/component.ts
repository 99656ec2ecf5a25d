/** A package that is in an image. */
export type Component = {
  readonly ecosystem: "npm" | "pypi" | "deb" | "apk";
  readonly name: string;
  readonly version: string;
  /** As its own metadata says it; null when it says nothing that is short enough to be a licence's name. */
  readonly license: string | null;
  readonly architecture: string | null;
  /** File in the image, or lock file in the product, that names it. */
  readonly location: string;
};

/** The distribution, by its `os-release`. */
export type Distribution = { readonly id: string; readonly version: string };

/** A package URL: what vulnerability databases look a component up by (github.com/package-url/purl-spec). */
export function packageUrl(component: Component, distribution: Distribution | null): string {
  const version = encodeURIComponent(component.version);
  const name = component.name.split("/").map(encodeURIComponent).join("/");
  switch (component.ecosystem) {
    case "npm":
      return `pkg:npm/${name}@${version}`;
    case "pypi":
      return `pkg:pypi/${encodeURIComponent(component.name.toLowerCase().replace(/[-_.]+/g, "-"))}@${version}`;
    case "deb":
    case "apk": {
      const vendor = distribution?.id ?? (component.ecosystem === "deb" ? "debian" : "alpine");
      const said = [
        component.architecture === null ? null : `arch=${encodeURIComponent(component.architecture)}`,
        distribution === null ? null : `distro=${encodeURIComponent(`${distribution.id}-${distribution.version}`)}`,
      ].filter((part) => part !== null);
      return `pkg:${component.ecosystem}/${vendor}/${name}@${version}${said.length === 0 ? "" : `?${said.join("&")}`}`;
    }
  }
}

/** Each package once, in the order of the alphabet, so that the same image has the same document. */
export function inOrder(components: readonly Component[]): readonly Component[] {
  const keyOf = (each: Component): string =>
    [each.ecosystem, each.name, each.version, each.architecture ?? ""].join("\u0000");
  const byKey = new Map<string, Component>();
  for (const each of components) if (!byKey.has(keyOf(each))) byKey.set(keyOf(each), each);
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, each]) => each);
}
