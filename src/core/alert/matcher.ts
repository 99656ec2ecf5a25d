/** Which alerts are meant: those of a name whose labels have these values, whatever else they have. */
export type AlertMatcher = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

const pattern = /^([A-Za-z_:][\w:.-]{0,199})\s*(?:\{(.*)\})?$/;
const labelPattern = /^\s*([A-Za-z_]\w{0,99})\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*$/;

/** `HighErrorRate`, `HighErrorRate{severity="critical", cluster=eu}`. Null when it is none. */
export function parseMatcher(text: string): AlertMatcher | null {
  const found = pattern.exec(text.trim());
  if (found === null) return null;
  const [, name = "", inside = ""] = found;
  const labels: Record<string, string> = {};
  for (const part of inside.trim() === "" ? [] : inside.split(",")) {
    const label = labelPattern.exec(part);
    if (label === null) return null;
    labels[label[1] ?? ""] = label[2] ?? label[3] ?? "";
  }
  return { name, labels };
}

/** The same for the same matcher, however it was written. */
export function matcherText({ name, labels }: AlertMatcher): string {
  const parts = Object.keys(labels)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(labels[key])}`);
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}

export function isMeant({ name, labels }: AlertMatcher, seen: Readonly<Record<string, string>>): boolean {
  return seen.alertname === name && Object.entries(labels).every(([key, value]) => seen[key] === value);
}
