import { randomBytes } from "node:crypto";

/** A name for what a command asks for, chosen here: should the answer be lost, asking again begins nothing twice. */
export function newId(prefix: "dep" | "run"): string {
  return `${prefix}_${randomBytes(6).toString("hex")}`;
}
