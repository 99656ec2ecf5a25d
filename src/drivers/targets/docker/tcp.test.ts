import { targetConformance } from "../../../testing/conformance/target.ts";
import { tcpPlace } from "./places.fixture.ts";

targetConformance("docker 20.10, by tcp with TLS", () => tcpPlace());
