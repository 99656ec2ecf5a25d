export type Words = {
  readonly words: readonly string[];
  /**
   * Where a shell would begin another command (`;`, `&`, `|`, `<`, `>`): Compose reads to there and drops the rest without a
   * word. Null when all was read.
   */
  readonly dropped: string | null;
};

/**
 * The words of a command written as one text, as Compose splits them: by white space; single quotes keep all, double quotes
 * and backslashes as in a shell; no variables and no globs. Null when a quote is open at the end, or a bracket begins a
 * sub-shell.
 */
export function splitWords(line: string): Words | null {
  const words: string[] = [];
  let word: string | null = null;
  // A backtick, and the bracket of `$(…)`, keep what is in them together and stay in the word.
  let quote: '"' | "'" | "`" | ")" | null = null;
  let escaped = false;
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!;
    if (escaped) {
      word = (word ?? "") + character;
      escaped = false;
    } else if (character === "\\") {
      if (quote === "'") word = (word ?? "") + character;
      else escaped = true;
    } else if (quote !== null) {
      if (quote === "`" || quote === ")" || character !== quote) word = (word ?? "") + character;
      if (character === quote) quote = null;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (character === "`") {
      quote = character;
      word = (word ?? "") + character;
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "(" && word?.endsWith("$")) {
      quote = ")";
      word += character;
    } else if (character === "(" || character === ")") {
      return null;
    } else if (";&|<>".includes(character)) {
      // `2>` is one redirection: its number goes with it.
      const number = character === ">" && word !== null && /^\d/.test(word);
      if (word !== null && !number) words.push(word);
      return { words, dropped: line.slice(index) };
    } else word = (word ?? "") + character;
  }
  if (quote !== null || escaped) return null;
  if (word !== null) words.push(word);
  return { words, dropped: null };
}
