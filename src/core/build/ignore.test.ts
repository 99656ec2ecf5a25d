import { describe, expect, it } from "vitest";
import { IgnorePatternError, readIgnore } from "./ignore.ts";

const ignored = (text: string, path: string): boolean => readIgnore(text).ignores(path);

describe(".dockerignore:", () => {
  it.each([
    // From the reference page of the Dockerfile format.
    ["*/temp*", "somedir/temporary.txt", true],
    ["*/temp*", "somedir/temp", true],
    ["*/temp*", "temporary.txt", false],
    ["*/*/temp*", "somedir/subdir/temporary.txt", true],
    ["temp?", "tempa", true],
    ["temp?", "temp", false],
    ["**/*.go", "main.go", true],
    ["**/*.go", "a/b/c/main.go", true],
    ["*.md\n!README.md", "README.md", false],
    ["*.md\n!README.md", "OTHER.md", true],
    ["*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true],
    ["*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false],
    // A directory takes all below it.
    ["node_modules", "node_modules/a/b.js", true],
    ["node_modules", "packages/a/node_modules/b.js", false],
    ["**/node_modules", "packages/a/node_modules/b.js", true],
    ["/node_modules/", "node_modules/a", true],
    ["docs\n!docs/README.md", "docs/README.md", false],
    ["docs\n!docs/README.md", "docs/other.md", true],
    ["*\n!src", "src/deep/main.js", false],
    ["*\n!src\nsrc/deep", "src/deep/main.js", true],
    ["a/**", "a", false],
    ["a/**", "a/b/c", true],
    ["a**", "abc/d", true],
    ["**", "anything/at/all", true],
    ["**env", "my.env", true],
    ["a/**/b", "a/b", true],
    ["a/**/b", "a/x/y/b", true],
    ["a/**/b", "ab", false],
    // Lines.
    ["  secret.txt \t", "secret.txt", true],
    ["# secret.txt", "# secret.txt", false],
    [" # x", "# x", true],
    ["\uFEFFsecret.txt", "secret.txt", true],
    ["secret.txt\r\nother", "secret.txt", true],
    ["! kept\n", "kept", false],
    ["*\n! kept", "kept", false],
    ["./a/../secret.txt", "secret.txt", true],
    ["../secret.txt", "secret.txt", false],
    ["/../secret.txt", "secret.txt", true],
    // Signs that mean something else in a regular expression.
    ["a.b*", "aXbc", false],
    ["a+(b)|{c}$*", "a+(b)|{c}$d", true],
    ["[a-c]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["\\*.txt", "*.txt", true],
    ["\\*.txt", "a.txt", false],
    ["*.txt", "dir/a.txt", false],
    [".", "a", false],
  ])("%j and the path %s: %s", (text, path, expected) => {
    expect(ignored(text, path)).toBe(expected);
  });

  it.each(["!", "[a", "a[]b"])("%j is no pattern", (line) => {
    expect(() => readIgnore(line)).toThrow(IgnorePatternError);
  });

  it("says whether ignored directories must be looked through", () => {
    expect(readIgnore("a\nb").takesBack).toBe(false);
    expect(readIgnore("a\n!a/b").takesBack).toBe(true);
  });
});
