import type { RoutePolicy } from "../../../ports/edge.ts";
import type { Cors } from "./compiled.ts";
import { headerLine } from "./write-head.ts";

export function compileCors(cors: NonNullable<RoutePolicy["cors"]>): Cors {
  return {
    origins: new Set(cors.origins.map((origin) => origin.toLowerCase())),
    anyOrigin: cors.origins.includes("*"),
    methods: cors.methods.join(", "),
    headers: cors.headers.join(", "),
    credentials: cors.credentials,
    maxAge: String(cors.maxAgeS),
  };
}

/**
 * Headers that let the browser hand the answer to a page of `origin`; of a stranger's only that the answer depends on it.
 * Credentials are for origins that are listed by name, never for `*`: that would open the service to every page.
 */
export function corsLines(cors: Cors, origin: string): string {
  const listed = cors.origins.has(origin.toLowerCase());
  if (!listed) return cors.anyOrigin ? headerLine("Access-Control-Allow-Origin", "*") : headerLine("Vary", "Origin");
  const lines = headerLine("Access-Control-Allow-Origin", origin) + headerLine("Vary", "Origin");
  return cors.credentials ? lines + headerLine("Access-Control-Allow-Credentials", "true") : lines;
}

/** The further headers of the answer to a preflight of an origin that is let in. */
export function preflightHeaders(cors: Cors, origin: string): string[] {
  if (!cors.anyOrigin && !cors.origins.has(origin.toLowerCase())) return [];
  const headers = ["Access-Control-Allow-Methods", cors.methods, "Access-Control-Max-Age", cors.maxAge];
  if (cors.headers !== "") headers.push("Access-Control-Allow-Headers", cors.headers);
  return headers;
}
