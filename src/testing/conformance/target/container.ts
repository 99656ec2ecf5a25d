import type { ContainerSpec } from "../../../ports/target.ts";

/** What a container of the suite is, where nothing else is asked for. */
export const container: ContainerSpec = {
  volumes: [],
  hostPorts: [],
  port: 3000,
  readOnlyRoot: false,
  dropCapabilities: [],
  addCapabilities: [],
  user: null,
  init: true,
  logs: { maxBytes: 10_000_000, keep: 2 },
  rootUser: "allow",
};
