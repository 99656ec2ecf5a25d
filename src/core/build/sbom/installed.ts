import type { Component, Distribution } from "./component.ts";

/** Which files of an image say what is installed in it, and how each is read. Paths are relative, without a leading `/`. */
export type InstalledKind = "dpkg" | "apk" | "npm" | "pypi" | "os-release";

/** Longest file of each kind that is read; a longer one is none of these. */
export const maxInstalledBytes: Readonly<Record<InstalledKind, number>> = {
  dpkg: 16_000_000,
  apk: 16_000_000,
  npm: 256_000,
  pypi: 1_000_000,
  "os-release": 16_000,
};

export function installedKind(path: string): InstalledKind | null {
  if (path === "var/lib/dpkg/status" || /^var\/lib\/dpkg\/status\.d\/[^/]+$/.test(path)) {
    return path.endsWith(".md5sums") ? null : "dpkg";
  }
  if (path === "lib/apk/db/installed" || path === "usr/lib/apk/db/installed") return "apk";
  if (path === "etc/os-release" || path === "usr/lib/os-release") return "os-release";
  if (/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path)) return "npm";
  if (/(?:^|\/)[^/]+\.(?:dist-info\/METADATA|egg-info\/PKG-INFO)$/.test(path)) return "pypi";
  return null;
}

export function readInstalled(kind: Exclude<InstalledKind, "os-release">, text: string, path: string): Component[] {
  switch (kind) {
    case "dpkg":
      return readDpkg(text, path);
    case "apk":
      return readApk(text, path);
    case "npm":
      return readNpm(text, path);
    case "pypi":
      return readPypi(text, path);
  }
}

/** `ID` and `VERSION_ID`; null without them (unstable has no version). */
export function readOsRelease(text: string): Distribution | null {
  const value = (name: string): string | undefined => new RegExp(`^${name}=["']?([^"'\\n]*)`, "m").exec(text)?.[1];
  const id = value("ID");
  const version = value("VERSION_ID") ?? value("VERSION_CODENAME");
  return id === undefined || version === undefined || !/^[a-z0-9._-]+$/.test(id) ? null : { id, version };
}

function readDpkg(text: string, location: string): Component[] {
  return text.split(/\n\n+/).flatMap((paragraph): Component[] => {
    const field = fieldsOf(paragraph, /^([A-Za-z-]+): ?(.*)$/);
    const [name, version, status] = [field.get("package"), field.get("version"), field.get("status")];
    // Removed packages whose configuration is still there are in the file too; images without dpkg have no status.
    if (name === undefined || version === undefined || (status !== undefined && !status.endsWith(" installed")))
      return [];
    return [
      { ecosystem: "deb", name, version, license: null, architecture: field.get("architecture") ?? null, location },
    ];
  });
}

function readApk(text: string, location: string): Component[] {
  return text.split(/\n\n+/).flatMap((paragraph): Component[] => {
    const field = fieldsOf(paragraph, /^([A-Za-z]):(.*)$/, false);
    const [name, version] = [field.get("P"), field.get("V")];
    if (name === undefined || version === undefined) return [];
    const license = shortLicense(field.get("L"));
    return [{ ecosystem: "apk", name, version, license, architecture: field.get("A") ?? null, location }];
  });
}

function readNpm(text: string, location: string): Component[] {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof raw !== "object" || raw === null) return [];
  const { name, version, license } = raw as Record<string, unknown>;
  // Parts of a package have a package.json too, that says only how they are imported.
  if (typeof name !== "string" || typeof version !== "string" || name === "" || version === "") return [];
  const told = typeof license === "string" ? shortLicense(license) : null;
  return [{ ecosystem: "npm", name, version, license: told, architecture: null, location }];
}

function readPypi(text: string, location: string): Component[] {
  const end = text.search(/\r?\n\r?\n/);
  const field = fieldsOf(end === -1 ? text : text.slice(0, end), /^([A-Za-z-]+): ?(.*)$/);
  const [name, version] = [field.get("name"), field.get("version")];
  if (name === undefined || version === undefined) return [];
  const license = shortLicense(field.get("license-expression") ?? field.get("license"));
  return [{ ecosystem: "pypi", name, version, license, architecture: null, location }];
}

/** The first value of each name; lines that go on are left out. */
function fieldsOf(paragraph: string, line: RegExp, foldCase = true): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const each of paragraph.split(/\r?\n/)) {
    const [, name, value] = line.exec(each) ?? [];
    const key = foldCase ? name?.toLowerCase() : name;
    if (key !== undefined && value !== undefined && !fields.has(key)) fields.set(key, value.trim());
  }
  return fields;
}

function shortLicense(text: string | undefined): string | null {
  return text === undefined || text === "" || text.length > 100 || text.includes("\n") || text === "UNKNOWN"
    ? null
    : text;
}
