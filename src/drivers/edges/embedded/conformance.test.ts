import { edgeConformance } from "../../../testing/conformance/edge.ts";
import { makeEmbeddedEdge } from "./made.fixture.ts";

edgeConformance("embedded", () => makeEmbeddedEdge());
