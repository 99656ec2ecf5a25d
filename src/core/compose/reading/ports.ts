import { parseCidr } from "../../product/addresses.ts";
import type { ComposePort } from "../model.ts";
import type { Notes } from "../notes.ts";
import { type At, isList, isMap, type Raw } from "../tree.ts";
import { Fields, maxItems, type Read, scalar } from "./fields.ts";

const allowed = '"8080:80", "127.0.0.1:8080:80/tcp", "3000-3005:3000-3005", or an object with target and published';

/** `ports`: each entry may be several. Two that mean the same are one. */
export const ports: Read<readonly ComposePort[]> = (value, at, notes) => {
  if (!isList(value)) {
    notes.refuse(at, value, "a list");
    return null;
  }
  const all = new Map<string, ComposePort>();
  for (const [index, item] of value.entries()) {
    for (const port of portsOf(item, [...at, index], notes)) {
      const { hostIp, published, target, protocol } = port;
      all.set(`${hostIp ?? "0.0.0.0"}:${published}:${target}/${protocol}`, port);
    }
    if (all.size <= maxItems) continue;
    notes.error(at, `more than ${maxItems} ports`, { allowed: `at most ${maxItems} ports` });
    return null;
  }
  return [...all.values()];
};

function portsOf(item: Raw, at: At, notes: Notes): readonly ComposePort[] {
  if (isMap(item)) return longPort(item, at, notes);
  const found = typeof item === "string" || typeof item === "number" ? shortPort(String(item)) : null;
  if (found === null) notes.refuse(at, item, allowed);
  return found ?? [];
}

function longPort(item: Raw, at: At, notes: Notes): readonly ComposePort[] {
  const fields = new Fields(item, at, notes);
  const target = fields.whole("target", { min: 1, max: 65_535 });
  const published = fields.read("published", scalar);
  const port = {
    published: published === "" ? null : published,
    hostIp: fields.text("host_ip"),
    protocol: fields.text("protocol") ?? "tcp",
    mode: fields.text("mode") ?? "ingress",
    name: fields.text("name"),
    appProtocol: fields.text("app_protocol"),
  };
  fields.end();
  if (port.hostIp !== null && !isIp(port.hostIp)) notes.refuse([...at, "host_ip"], port.hostIp, "an IP address");
  if (port.published !== null && rangeOf(port.published) === null)
    notes.refuse([...at, "published"], port.published, allowed);
  if (target === null && !fields.has("target")) notes.error(at, "a port has no target", { allowed });
  return target === null ? [] : [{ target, ...port }];
}

type Range = { readonly from: number; readonly to: number };

function rangeOf(text: string): Range | null {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to && to <= 65_535 ? { from, to } : null;
}

/** `[host ip:][host port:]port[/protocol]`, with ranges on one side or as long on both. Null for anything else. */
function shortPort(text: string): readonly ComposePort[] | null {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)??(?:([\d-]*):)?([\d-]+)(?:\/(\w*))?$/.exec(text);
  if (match === null) return null;
  const [, six, four, hostPart = "", insidePart = "", given = ""] = match;
  const protocol = given === "" ? "tcp" : given;
  const hostIp = six ?? four ?? "";
  const inside = rangeOf(insidePart);
  const host = hostPart === "" ? null : rangeOf(hostPart);
  const known = /^(tcp|udp|sctp)$/i.test(protocol) && (hostIp === "" || isIp(hostIp));
  if (inside === null || (hostPart !== "" && host === null) || !known || inside.from === 0) return null;
  const several = inside.to - inside.from;
  if (several > maxItems) return Array.from({ length: maxItems + 1 }, (_, index) => portAt(index + 1));
  const spread = host !== null && host.to - host.from === several;
  if (host !== null && !spread && several > 0) return null;
  return Array.from({ length: several + 1 }, (_, index) => ({
    ...portAt(inside.from + index),
    published: host === null ? null : spread ? String(host.from + index) : hostPart,
  }));

  function portAt(target: number): ComposePort {
    return {
      target,
      published: null,
      hostIp: hostIp === "" ? null : hostIp,
      protocol: protocol.toLowerCase(),
      mode: "ingress",
      name: null,
      appProtocol: null,
    };
  }
}

function isIp(text: string): boolean {
  return !text.includes("/") && parseCidr(text) !== null;
}
