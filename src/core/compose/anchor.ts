import { absolutePath, type Base, isRemoteContext } from "./paths.ts";
import { field, isList, isMap, type Raw, type RawMap } from "./tree.ts";

/**
 * A tree whose paths on this machine are absolute: what one file says relative to its own directory still means the same
 * after it has been merged into another's. May be repeated; an absolute path stays.
 */
export function anchored(tree: RawMap, base: Base): RawMap {
  const path = atText((text) => (text === "" ? text : absolutePath(text, base)));
  const file = atKey("file", path);
  return change(tree, {
    services: atEach((service) => ofService(service, path, base)),
    configs: atEach(file),
    secrets: atEach(file),
    volumes: atEach((volume) => {
      const bound =
        isMap(volume) &&
        field(volume, "driver") === "local" &&
        field(asMap(field(volume, "driver_opts")), "o") === "bind";
      return bound ? change(volume, { driver_opts: atKey("device", path) }) : volume;
    }),
  });
}

type Change = (value: Raw) => Raw;

function ofService(service: Raw, path: Change, base: Base): Raw {
  const context = atText((text) => (isRemoteContext(text) ? text : String(path(text))));
  const contextOfPair = atText((pair) => {
    const equals = pair.indexOf("=");
    return equals === -1 ? pair : `${pair.slice(0, equals + 1)}${String(context(pair.slice(equals + 1)))}`;
  });
  return change(service, {
    build: (build) =>
      isMap(build)
        ? change(build, {
            context,
            additional_contexts: (all) => (isList(all) ? all.map(contextOfPair) : atEach(context)(all)),
          })
        : context(build),
    env_file: atEachOrAlone((item) => (isMap(item) ? change(item, { path }) : path(item))),
    label_file: atEachOrAlone(path),
    extends: atKey("file", path),
    develop: atKey("watch", atEachOrAlone(atKey("path", path))),
    volumes: atEachOrAlone((mount) => ofMount(mount, path, base)),
  });
}

function ofMount(mount: Raw, path: Change, base: Base): Raw {
  if (isMap(mount)) return field(mount, "type") === "bind" ? change(mount, { source: path }) : mount;
  // A name is a volume; what begins like a path is one.
  if (typeof mount !== "string" || !/^[.~]/.test(mount) || !mount.includes(":")) return mount;
  const colon = mount.indexOf(":");
  return absolutePath(mount.slice(0, colon), base) + mount.slice(colon);
}

function change(value: Raw, changes: Readonly<Record<string, Change>>): RawMap;
function change(value: Raw, changes: Readonly<Record<string, Change>>): Raw {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, field(changes, key)?.(item) ?? item] as const),
  );
}

function atKey(key: string, to: Change): Change {
  return (value) => change(value, { [key]: to });
}

function atEach(to: Change): Change {
  return (value) =>
    isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, to(item)] as const)) : value;
}

function atEachOrAlone(to: Change): Change {
  return (value) => (isList(value) ? value.map(to) : to(value));
}

function atText(to: (text: string) => string): Change {
  return (value) => (typeof value === "string" ? to(value) : value);
}

function asMap(value: Raw | undefined): RawMap {
  return isMap(value) ? value : {};
}
