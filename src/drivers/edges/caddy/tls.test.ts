import { tlsConformance } from "../../../testing/conformance/edge/tls.ts";
import { makeCaddyEdge } from "./made.fixture.ts";

tlsConformance("caddy", () => makeCaddyEdge());
