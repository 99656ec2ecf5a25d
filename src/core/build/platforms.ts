import { SlipwayError } from "../errors/error.ts";

/** A service's image, and what it is to run on: `os/arch[/variant]`, none for the builder's own. */
export type WantedPlatforms = {
  readonly service: string;
  readonly platforms: readonly string[];
  /** First command of its Dockerfile that is run on that platform; null when it only puts files there. */
  readonly runs: string | null;
};

export type OfferedPlatforms = {
  readonly name: string;
  /** What its engine runs programs of. */
  readonly offered: readonly string[];
  /** Makes an image for any other too, as long as nothing is run there. */
  readonly foreign: boolean;
};

/** Null when the builder can. No builder of ours makes one image of several platforms. Error: IMAGE_WRONG_PLATFORM. */
export function platformRefusal(wanted: WantedPlatforms, builder: OfferedPlatforms): SlipwayError | null {
  const { service, platforms, runs } = wanted;
  if (isSeveral(platforms))
    return new SlipwayError("IMAGE_WRONG_PLATFORM", {
      message: `an engine builds for one platform at a time; ${service} wants ${platforms.join(", ")}`,
      hint: "name the platform of the servers in image.platforms",
    });
  const refused = platforms.find((platform) => !builder.offered.includes(platform));
  if (refused === undefined || (builder.foreign && runs === null)) return null;
  return new SlipwayError("IMAGE_WRONG_PLATFORM", {
    message: `builder ${builder.name} cannot build ${service} for ${refused}`,
    evidence: [["it runs", builder.offered.join(", ")], ...(runs === null ? [] : [[`for ${refused}`, runs] as const])],
    hint: "set target.builder to a host of that platform, install the emulation on it (binfmt, QEMU), or run nothing there: FROM --platform=$BUILDPLATFORM for what compiles, COPY for the rest",
  });
}

/** The same one twice is one. */
export function isSeveral(platforms: readonly string[]): boolean {
  return new Set(platforms).size > 1;
}
