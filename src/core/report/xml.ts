/** Why a report cannot be read; for a person. */
export class UnreadableReport extends Error {
  override readonly name = "UnreadableReport";
}

export type XmlEvents = {
  readonly open: (name: string, attributes: ReadonlyMap<string, string>) => void;
  readonly close: (name: string) => void;
  readonly text: (text: string) => void;
};

const mostDepth = 64;
const mostAttributes = 64;
const mostElements = 2_000_000;

/**
 * Goes through an XML text once, from left to right. Reads what reports are made of: elements, attributes, text, CDATA. Entities
 * are the five of XML and numbers; a document that declares others is refused, so none can grow or reach for a file.
 */
export function scanXml(text: string, { open, close, text: say }: XmlEvents): void {
  const names: string[] = [];
  let at = 0;
  let elements = 0;
  while (at < text.length) {
    const next = text.indexOf("<", at);
    const said = text.slice(at, next === -1 ? text.length : next);
    if (names.length > 0 && said !== "") say(unescaped(said));
    if (next === -1) break;
    if (text.startsWith("<!--", next)) at = after(text, "-->", next + 4);
    else if (text.startsWith("<![CDATA[", next)) {
      at = after(text, "]]>", next + 9);
      say(text.slice(next + 9, at - 3));
    } else if (text.startsWith("<?", next)) at = after(text, "?>", next + 2);
    else if (text.startsWith("<!", next)) {
      at = after(text, ">", next + 2);
      if (/[[]|<!ENTITY/.test(text.slice(next, at))) throw new UnreadableReport("it declares entities of its own");
    } else {
      at = tagEnd(text, next + 1);
      const tag = text.slice(next + 1, at - 1);
      if (tag.startsWith("/")) {
        const name = tag.slice(1).trim();
        if (names.pop() !== name) throw new UnreadableReport(`</${name.slice(0, 40)}> closes what is not open`);
        close(name);
        continue;
      }
      elements += 1;
      if (elements > mostElements) throw new UnreadableReport(`it has more than ${mostElements} elements`);
      const isEmpty = tag.endsWith("/");
      const { name, attributes } = tagOf(isEmpty ? tag.slice(0, -1) : tag);
      open(name, attributes);
      if (isEmpty) close(name);
      else names.push(name);
      if (names.length > mostDepth) throw new UnreadableReport(`it is nested more than ${mostDepth} deep`);
    }
  }
  if (elements === 0) throw new UnreadableReport("it is no XML");
  if (names.length > 0) throw new UnreadableReport(`<${names.at(-1)?.slice(0, 40)}> is not closed`);
}

function after(text: string, sign: string, from: number): number {
  const at = text.indexOf(sign, from);
  if (at === -1) throw new UnreadableReport("it ends in the middle");
  return at + sign.length;
}

/** A `>` inside quotes ends no tag. */
function tagEnd(text: string, from: number): number {
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const sign = text[at] as string;
    if (quote !== "") quote = sign === quote ? "" : quote;
    else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === ">") return at + 1;
  }
  throw new UnreadableReport("it ends in the middle");
}

function tagOf(tag: string): { readonly name: string; readonly attributes: ReadonlyMap<string, string> } {
  const name = /^[^\s/"'=<>]+/.exec(tag)?.[0];
  if (name === undefined) throw new UnreadableReport("an element has no name");
  const attributes = new Map<string, string>();
  const pattern = /\s([^\s/"'=<>]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gy;
  pattern.lastIndex = name.length;
  for (;;) {
    while (/\s/.test(tag[pattern.lastIndex] ?? "") && /\s/.test(tag[pattern.lastIndex + 1] ?? ""))
      pattern.lastIndex += 1;
    const found = pattern.exec(tag);
    if (found === null) return { name, attributes };
    if (attributes.size >= mostAttributes)
      throw new UnreadableReport(`<${name}> has more than ${mostAttributes} attributes`);
    attributes.set(found[1] ?? "", unescaped(found[2] ?? found[3] ?? ""));
  }
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-z]{2,4});/g, (whole, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? whole;
    const code = name.startsWith("#x") ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
