/**
 * One command line that the remote login shell reads back as exactly these words, whatever is in them: quotes, spaces, `$`,
 * newlines, other alphabets. Right for POSIX shells and for fish, where a backslash is special inside single quotes too; csh
 * cannot take a newline. The only place where words become a shell's text.
 */
export function remoteCommand(argv: readonly string[]): string {
  if (argv.length === 0) throw new TypeError("a remote command has at least one word");
  return argv.map(quoted).join(" ");
}

/** Needs no quotes anywhere; does not begin with `-`, which ssh would read as an option of its own. */
const plain = /^[A-Za-z0-9_/.:,@%+][A-Za-z0-9_/.:,@%+-]*$/;

function quoted(word: string): string {
  if (word.includes("\0")) throw new TypeError("a word of a command cannot hold a NUL");
  if (plain.test(word)) return word;
  return `'${word.replaceAll(/['\\]/g, (special) => (special === "'" ? "'\\''" : `'"\\\\"'`))}'`;
}
