import { targetConformance } from "../../../testing/conformance/target.ts";
import { sshPlace } from "./places.fixture.ts";

targetConformance("docker 20.10, three hosts by ssh", () => sshPlace(3));
