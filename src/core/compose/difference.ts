/** One thing that Slipway does otherwise than `docker compose up`, or does not do. */
export type Difference = {
  /** `services.web.ports[0]` */
  readonly path: string;
  /** `refused`: cannot be deployed so. `ignored`: left out, and it works without. `different`: done in another way. */
  readonly consequence: "refused" | "ignored" | "different";
  /** What and why, and what to do about it. One sentence without a full stop. */
  readonly sentence: string;
};
