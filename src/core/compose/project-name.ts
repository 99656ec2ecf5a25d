/** What Compose makes of a name: small letters, digits, dashes and underscores, beginning with a letter or a digit. */
export function projectName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
}
