import { edgeConformance } from "../../../testing/conformance/edge.ts";
import { makeCaddyEdge } from "./made.fixture.ts";

edgeConformance("caddy", () => makeCaddyEdge());
