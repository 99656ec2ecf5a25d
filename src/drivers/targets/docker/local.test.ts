import { targetConformance } from "../../../testing/conformance/target.ts";
import { localPlace } from "./places.fixture.ts";

targetConformance("docker 20.10, local", () => localPlace("20.10"));
