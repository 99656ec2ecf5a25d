/**
 * A piece of a POSIX shell script, written as it reads: a backslash is a backslash, `\${` is a `${` of the shell, and the indent
 * that all its lines share is taken away. Nothing is put into it: what comes from people goes in through `shellWord`, once, at
 * the top of the script.
 */
export function sh(text: TemplateStringsArray): string {
  const lines = text.raw.join("").replaceAll("\\${", "${").replace(/^\n/, "").trimEnd().split("\n");
  const indents = lines.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)![0].length);
  const shared = Math.min(...indents);
  return lines.map((line) => line.slice(shared)).join("\n");
}

/** One word for a shell, whatever is in it. A NUL cannot be in a word. */
export function shellWord(text: string): string {
  if (text.includes("\0")) throw new TypeError("a shell word cannot hold a NUL");
  return `'${text.replaceAll("'", "'\\''")}'`;
}
