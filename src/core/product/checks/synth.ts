import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import { environmentNames } from "../resolve.ts";
import { error, type Finding } from "./finding.ts";

/** What synth writes is of an environment that there is. */
export function checkSynth(product: ProductInput): readonly Finding[] {
  const asked = product.synth?.environment;
  const names = environmentNames(product).map(String);
  if (asked === undefined || names.includes(asked)) return [];
  const guess = nearest(asked, names);
  const advice = guess === null ? `the environments are ${names.join(", ")}` : `did you mean "${guess}"?`;
  return [
    error(["synth", "environment"], `there is no environment "${asked}"; ${advice}`, guess === null ? {} : { guess }),
  ];
}
