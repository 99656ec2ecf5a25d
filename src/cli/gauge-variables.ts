import type { PlaceSpec } from "../core/product/probe-spec.ts";
import type { Gauge, Outcome } from "../ports/gauge.ts";

/** A variable that is not there, or is no URL, says nothing about what it should have named. Its value is in no message. */
export function at(place: PlaceSpec, make: (url: string) => Gauge): Gauge {
  const url = "from" in place ? process.env[place.from] : place.url;
  if (url === undefined || url === "") return never(`${"from" in place ? place.from : "its url"} is not set here`);
  try {
    return make(url);
  } catch {
    return never(`${"from" in place ? `what ${place.from} holds` : "its url"} is not a URL that can be used`);
  }
}

export function withVariables(
  names: Readonly<Record<string, string>>,
  make: (values: Record<string, string>) => Gauge,
): Gauge {
  const missing = Object.values(names).filter((name) => (process.env[name] ?? "") === "");
  if (missing.length > 0) return never(`${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not set here`);
  return make(Object.fromEntries(Object.entries(names).map(([key, name]) => [key, process.env[name] ?? ""])));
}

export function never(saw: string): Gauge {
  const outcome: Outcome = { is: "unknown", saw };
  return { read: async () => outcome };
}
