import { tlsConformance } from "../../../testing/conformance/edge/tls.ts";
import { makeEmbeddedEdge } from "./made.fixture.ts";

tlsConformance("embedded", () => makeEmbeddedEdge());
