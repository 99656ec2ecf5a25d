import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "dist", "dashboard");
/** What a browser loads before it shows anything. */
const firstLoadBytes = 300_000;

describe("the built dashboard", () => {
  const index = readFileSync(join(built, "index.html"), "utf8");

  it("is loaded whole within 300 kB of gzip", () => {
    const named = [...index.matchAll(/(?:src|href)="\/dashboard\/(assets\/[\w.-]+)"/g)].map(([, file = ""]) => file);
    expect(named.filter((file) => file.endsWith(".js"))).toHaveLength(1);
    expect(named.filter((file) => file.endsWith(".css"))).toHaveLength(1);
    const bytes = named.map((file) => gzipSync(readFileSync(join(built, file))).length);
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(firstLoadBytes);
  });

  it("has nothing in its page that the page's policy would stop: no script, style or address of others", () => {
    expect(index).toContain('content="{{nonce}}"');
    for (const [tag, , content = ""] of index.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)) {
      expect(tag).toContain('src="/dashboard/assets/');
      expect(content.trim()).toBe("");
    }
    expect(index).not.toMatch(/<style|\sstyle=|\son[a-z]+=|https?:/);
  });

  it("is in the package, which brings none of what it was built with", () => {
    const listed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
    const said = JSON.parse(listed.toString()) as unknown;
    const [packed] = Object.values(said as object) as { readonly files: readonly { readonly path: string }[] }[];
    const paths = (packed?.files ?? []).map(({ path }) => path);
    expect(paths).toContain("dist/dashboard/index.html");
    for (const file of readdirSync(join(built, "assets"))) expect(paths).toContain(`dist/dashboard/assets/${file}`);
    expect(paths.filter((path) => /^(?:dashboard|src|test)\//.test(path))).toEqual([]);
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const ofThePage = JSON.parse(readFileSync(join(root, "dashboard", "package.json"), "utf8")) as {
      readonly devDependencies: Readonly<Record<string, string>>;
    };
    expect(Object.keys(dependencies).filter((name) => name in ofThePage.devDependencies)).toEqual([]);
  });
});
