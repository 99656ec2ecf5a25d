import { expect, it } from "vitest";
import { edgeUrl } from "./edge-url.ts";
import type { EdgeSpec, TargetSpec } from "./spec.ts";

const edge = (more: Partial<EdgeSpec>): EdgeSpec =>
  ({ server: null, listen: { host: "0.0.0.0", port: 8080 }, ...more }) as EdgeSpec;
const docker = (...urls: string[]): TargetSpec => ({
  driver: "docker",
  hosts: urls.map((url, index) => ({ name: `h${index}`, url, tls: null, address: `10.0.0.${index + 1}` })),
  builder: urls[0] ?? "",
  registry: null,
  whenAway: "stop",
});
const loopback = { listen: { host: "127.0.0.1", port: 8080 } };

it.each<[string, EdgeSpec, TargetSpec, string | null]>([
  ["processes here", edge({}), { driver: "process" }, "http://127.0.0.1:8080"],
  ["containers of this machine's engine", edge(loopback), docker("unix:///x"), "http://host.docker.internal:8080"],
  ["an edge on one of the hosts", edge({ server: "ssh://a@vm" }), docker("ssh://b@vm"), "http://10.0.0.1:8080"],
  [
    "an edge that listens at one address",
    edge({ listen: { host: "10.9.9.9", port: 80 } }),
    docker("ssh://b@vm"),
    "http://10.9.9.9:80",
  ],
  ["an edge here, containers elsewhere", edge({}), docker("ssh://b@vm"), null],
  ["the same, with an address", edge({ address: "10.0.0.9" }), docker("ssh://b@vm"), "http://10.0.0.9:8080"],
  ["an address of the other kind", edge({ address: "fd00::9" }), docker("ssh://b@vm"), "http://[fd00::9]:8080"],
])("%s", (_, spec, target, url) => {
  expect(edgeUrl({ edge: spec, target })).toBe(url);
});
