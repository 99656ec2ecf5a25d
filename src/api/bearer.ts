import { timingSafeEqual } from "node:crypto";
import { SlipwayError } from "../core/errors/error.ts";

/** Why a request may not come in; null when it carries the token. Takes as long whatever is wrong with it. */
export function refusal(header: string | undefined, token: string): SlipwayError | null {
  const seen = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  if (seen.length === wanted.length && timingSafeEqual(seen, wanted)) return null;
  return new SlipwayError("UNAUTHORIZED", {
    message: header === undefined ? "the request carries no token" : "the token is not the right one",
  });
}
