import { afterAll, beforeAll } from "vitest";
import { tlsConformance } from "../../../testing/conformance/edge/tls.ts";
import { edgeConformance } from "../../../testing/conformance/edge.ts";
import { type CaddyHost, makeRemoteCaddyEdge, startCaddyHost } from "./made-ssh.fixture.ts";

/**
 * Both edge suites with Caddy on a host of its own: orders, looks and counts go through SSH, clients and services are on other
 * addresses than the edge's loopback.
 */
let there: CaddyHost;
beforeAll(async () => {
  there = await startCaddyHost();
});
afterAll(() => there.down());

// Without the shares of one table: thousands of requests that the same Caddy answers as it does here, past the SSH.
edgeConformance("caddy on a host behind SSH", async () => makeRemoteCaddyEdge(there), { sharing: false });
tlsConformance("caddy on a host behind SSH", async () => makeRemoteCaddyEdge(there));
