import { targetConformance } from "../../../testing/conformance/target.ts";
import { localPlace } from "./places.fixture.ts";

targetConformance("docker, the newest engine of Debian, local", () => localPlace("newest"));
