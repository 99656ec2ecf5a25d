import type { Digest } from "../ids.ts";
import type { HostPortSpec, HostSpec, VolumeSpec } from "./spec.ts";

const volumeName = /^[a-z0-9][a-z0-9_.-]{0,62}$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a path with one is a mistake or an attack.
const absolutePath = /^\/[^:\u0000-\u001f]*$/;

/** `data:/var/lib/app`, `/srv/app/config:/config:ro`; null when it is neither. */
export function parseVolume(text: string): VolumeSpec | null {
  const [source = "", path = "", mode, ...more] = text.split(":");
  if (more.length > 0 || (mode !== undefined && mode !== "ro" && mode !== "rw")) return null;
  if (!volumeName.test(source) && !isPlainPath(source)) return null;
  if (!isPlainPath(path) || path === "/") return null;
  return { source, path, readOnly: mode === "ro" };
}

function isPlainPath(path: string): boolean {
  return absolutePath.test(path) && !path.split("/").includes("..");
}

/** `8125:8125`, `127.0.0.1:8125:8125`; null when it is neither. */
export function parseHostPort(text: string): HostPortSpec | null {
  const match = /^(?:((?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\]):)?(\d{1,5}):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, host, outside, inside] = match;
  const [hostPort, port] = [Number(outside), Number(inside)];
  const fine = [hostPort, port].every((each) => each >= 1 && each <= 65_535);
  return fine ? { host: host?.replace(/^\[|\]$/g, "") ?? null, hostPort, port } : null;
}

const userAndHost = /^(?:[a-z_][a-z0-9_-]{0,31}@)?[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;

/**
 * Where an engine is: `unix:///var/run/docker.sock`, `ssh://deploy@vm1`, `ssh://deploy@10.0.0.5:2222`, `tcp://10.0.0.5:2376`. With
 * its name, made of it: `local`, or the host. Null when it is none of them.
 */
export function parseHostUrl(url: string): Pick<HostSpec, "name" | "url"> | null {
  const match = /^(unix|ssh|tcp):\/\/(.+)$/.exec(url);
  if (match === null) return null;
  const [, scheme, rest] = match as unknown as readonly [string, string, string];
  if (scheme === "unix") return isPlainPath(rest) ? { name: "local", url } : null;
  const [, place = "", port] = /^(.*?)(?::(\d{1,5}))?$/.exec(rest) ?? [];
  if (!userAndHost.test(place) || (port !== undefined && Number(port) > 65_535)) return null;
  if (scheme === "tcp" && (port === undefined || place.includes("@"))) return null;
  return { name: place.slice(place.indexOf("@") + 1).toLowerCase(), url };
}

/** `redis:7.4`, `ghcr.io/acme/web@sha256:…`: what a registry knows an image by. */
export function isImageReference(text: string): boolean {
  const name = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
  const host = "[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\\d{1,5})?";
  const pattern = `^(?:${host}/)?${name}(?:/${name})*(?::[\\w][\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`;
  return text.length <= 400 && new RegExp(pattern).test(text);
}

export type ImageReference = {
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
};

/** The parts of what `isImageReference` has let through. Without tag and digest it means `latest`, as for Docker. */
export function splitReference(reference: string): ImageReference {
  const [named = "", digest] = reference.split("@");
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : digest === undefined ? "latest" : null;
  return { repository: hasTag ? named.slice(0, colon) : named, tag, digest: (digest as Digest | undefined) ?? null };
}

/** `ghcr.io/acme/shop`: a place for images, without tag and digest. */
export function isRepository(text: string): boolean {
  return isImageReference(text) && !text.includes("@") && !/:[^/]*$/.test(text);
}
