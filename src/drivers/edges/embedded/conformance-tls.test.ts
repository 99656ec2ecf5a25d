import { edgeConformance } from "../../../testing/conformance/edge.ts";
import { makeBridgedEdge } from "./bridge.fixture.ts";

edgeConformance("embedded, over TLS", () => makeBridgedEdge("h1"));
edgeConformance("embedded, over HTTP/2", () => makeBridgedEdge("h2"));
