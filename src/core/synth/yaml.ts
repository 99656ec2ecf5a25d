/** What is written as YAML: maps keep their order; what is undefined is left out. */
export type Yaml =
  | string
  | number
  | boolean
  | Commented
  | readonly Yaml[]
  | { readonly [key: string]: Yaml | undefined };

/** A value with a comment behind it. */
export class Commented {
  readonly value: string;
  readonly comment: string;

  constructor(value: string, comment: string) {
    this.value = value;
    this.comment = comment;
  }
}

/** The text of a document: block style, strings in double quotes where plain ones could be anything else. The same value, the same text. */
export function yamlText(value: { readonly [key: string]: Yaml | undefined }): string {
  // GitHub's own docs write `on` bare, at the top of a workflow.
  const lines = mapLines(value, (key) => (key === "on" ? key : textScalar(key)));
  return `${lines.join("\n") || "{}"}\n`;
}

function mapLines(
  map: { readonly [key: string]: Yaml | undefined },
  keyText: (key: string) => string = textScalar,
): readonly string[] {
  return Object.entries(map).flatMap(([key, value]) => (value === undefined ? [] : entryLines(keyText(key), value)));
}

function entryLines(key: string, value: Yaml): readonly string[] {
  if (isScalar(value)) return [`${key}: ${scalar(value)}`];
  const lines = collectionLines(value);
  if (lines === null) return [`${key}: ${Array.isArray(value) ? "[]" : "{}"}`];
  return [`${key}:`, ...lines.map((line) => `  ${line}`)];
}

/** Null: there is nothing in it. */
function collectionLines(value: Exclude<Yaml, Scalar>): readonly string[] | null {
  if (!isList(value)) {
    const lines = mapLines(value);
    return lines.length === 0 ? null : lines;
  }
  if (value.length === 0) return null;
  return value.flatMap((item) => {
    if (isScalar(item)) return [`- ${scalar(item)}`];
    const lines = collectionLines(item) ?? [isList(item) ? "[]" : "{}"];
    return lines.map((line, index) => `${index === 0 ? "- " : "  "}${line}`);
  });
}

type Scalar = string | number | boolean | Commented;

const isList = (value: Exclude<Yaml, Scalar>): value is readonly Yaml[] => Array.isArray(value);

function isScalar(value: Yaml): value is Scalar {
  return typeof value !== "object" || value instanceof Commented;
}

function scalar(value: Scalar): string {
  if (value instanceof Commented) return `${textScalar(value.value)} # ${value.comment}`;
  return typeof value === "string" ? textScalar(value) : String(value);
}

/** Words that YAML 1.1 or 1.2 takes for something else than text. */
const reserved = /^(?:y|n|yes|no|on|off|true|false|null|~)$/i;

function textScalar(text: string): string {
  const plain =
    /^(?:[A-Za-z_/]|\.{0,2}\/|\.[A-Za-z])[\w./@+-]*(?:[: ][\w./@+-]+)*$/.test(text) &&
    !reserved.test(text) &&
    !/^\.(?:inf|nan)$/i.test(text);
  if (plain) return text;
  // JSON's strings are YAML's in double quotes; what YAML does not take raw is escaped too.
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
