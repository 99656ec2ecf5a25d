import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { fillDisk, smallDisk } from "../../../testing/engine/small-disk.ts";
import { gitSource } from "./index.ts";

const source = gitSource();
const { signal } = new AbortController();

/** A repository of its own, as a person would have made it. */
class Repository {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  git(...args: string[]): string {
    const who = ["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    return execFileSync("git", [...who, ...args], {
      cwd: this.directory,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, path)), { recursive: true });
    await writeFile(join(this.directory, path), text);
  }

  /** Commits all there is; its hash. */
  commit(message: string): string {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-m", message);
    return this.git("rev-parse", "HEAD");
  }
}

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "slipway-git-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function repository(): Promise<Repository> {
  const made = new Repository(join(await temporary(), "repository"));
  await mkdir(made.directory);
  made.git("init", "--quiet", "--initial-branch=main");
  return made;
}

/** What is below a directory: path → content, `-> target` for a link, `+x` for a program, `/` for an empty directory. */
async function tree(directory: string, prefix = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(join(directory, prefix))) {
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const stats = await lstat(join(directory, path));
    if (stats.isSymbolicLink()) found[path] = `-> ${await readlink(join(directory, path))}`;
    else if (stats.isDirectory()) {
      const below = await tree(directory, path);
      if (Object.keys(below).length === 0) found[path] = "/";
      Object.assign(found, below);
    } else found[path] = `${await readFile(join(directory, path), "utf8")}${(stats.mode & 0o100) === 0 ? "" : " +x"}`;
  }
  return found;
}

async function exported(
  from: Repository,
  what: { readonly hash: string; readonly dirty: boolean },
): Promise<Record<string, string>> {
  const into = join(await temporary(), "out");
  await source.export(from.directory, what, into, signal);
  expect(await readdir(dirname(into))).toEqual(["out"]);
  return tree(into);
}

const rejected = (work: Promise<unknown>) => expect(work).rejects;
const withCode = (code: string) => expect.objectContaining({ code });

describe("resolving a commit", () => {
  it("reads commit, author, time, message, branch, tags and where in the repository the product is", async () => {
    const made = await repository();
    await made.write("shop/app/web.js", "1");
    const hash = made.commit("feat(web): begin\n\nWith a body\nof two lines.\n\nBREAKING CHANGE: all");
    made.git("tag", "v1.2.3");
    made.git("tag", "-a", "noted", "-m", "an annotated tag");
    const found = await source.resolve(join(made.directory, "shop", "app"), "HEAD");
    expect(found).toEqual({
      hash,
      prefix: "shop/app",
      branch: "main",
      tags: ["noted", "v1.2.3"],
      commit: {
        hash,
        author: "Ada Lovelace",
        email: "ada@example.org",
        at: Number(made.git("show", "-s", "--format=%ct")) * 1000,
        subject: "feat(web): begin",
        body: "With a body\nof two lines.\n\nBREAKING CHANGE: all",
      },
    });
    expect((await source.resolve(made.directory, "v1.2.3")).prefix).toBe("");
  });

  it("takes a branch, a tag, an annotated tag, a short hash, and a commit relative to one", async () => {
    const made = await repository();
    const first = made.commit("one");
    made.git("branch", "side/line");
    const second = made.commit("two");
    made.git("tag", "-a", "v1.0.0", "-m", "one");
    const found = async (revision: string) => (await source.resolve(made.directory, revision)).hash;
    expect(await Promise.all(["side/line", "HEAD~1", first.slice(0, 8)].map(found))).toEqual([first, first, first]);
    expect(await Promise.all(["main", "v1.0.0", "@", second].map(found))).toEqual([second, second, second, second]);
  });

  it("names a branch only when the commit is the newest of the one that is checked out", async () => {
    const made = await repository();
    const first = made.commit("one");
    made.commit("two");
    expect((await source.resolve(made.directory, first)).branch).toBeNull();
    made.git("checkout", "--quiet", "--detach");
    expect((await source.resolve(made.directory, "HEAD")).branch).toBeNull();
    made.git("checkout", "--quiet", "-b", "fix/one-2");
    expect((await source.resolve(made.directory, "HEAD")).branch).toBe("fix/one-2");
    made.git("checkout", "--quiet", "--orphan", "fresh");
    expect((await source.resolve(made.directory, first)).branch).toBeNull();
  });

  it("refuses what names no commit, whatever it looks like", async () => {
    const made = await repository();
    await made.write("file", "1");
    made.commit("one");
    made.git("tag", "tree", "HEAD^{tree}");
    for (const revision of [
      "nowhere",
      "",
      "--all",
      "-h",
      "HEAD:file",
      "tree",
      "main..main",
      "HEAD\n",
      "a\0b",
      "0".repeat(40),
    ]) {
      await rejected(source.resolve(made.directory, revision)).toEqual(withCode("GIT_UNKNOWN_COMMIT"));
    }
  });

  it("refuses a repository without a commit", async () => {
    await expect(source.resolve((await repository()).directory, "HEAD")).rejects.toMatchObject({
      code: "GIT_UNKNOWN_COMMIT",
      hint: expect.stringContaining("nothing has been committed yet"),
    });
  });

  it("refuses what is no working tree: a plain directory, a bare repository, git's own directory, a file, nothing", async () => {
    const made = await repository();
    await made.write("file", "1");
    made.commit("one");
    const bare = await temporary();
    execFileSync("git", ["init", "--quiet", "--bare", bare]);
    const places = [
      await temporary(),
      bare,
      join(made.directory, ".git"),
      join(made.directory, "file"),
      join(made.directory, "absent"),
    ];
    for (const place of places) await rejected(source.resolve(place, "HEAD")).toEqual(withCode("GIT_NOT_A_REPOSITORY"));
  });

  it("says so when git is not installed", async () => {
    const made = await repository();
    made.commit("one");
    vi.stubEnv("PATH", await temporary());
    onTestFinished(() => void vi.unstubAllEnvs());
    await rejected(source.resolve(made.directory, "HEAD")).toEqual(withCode("GIT_MISSING"));
  });

  it("is about the directory asked for, also when a git hook of another repository started this process", async () => {
    const [made, other] = [await repository(), await repository()];
    const hash = made.commit("one");
    other.commit("other");
    vi.stubEnv("GIT_DIR", join(other.directory, ".git"));
    vi.stubEnv("GIT_WORK_TREE", other.directory);
    vi.stubEnv("GIT_INDEX_FILE", join(other.directory, ".git", "index"));
    onTestFinished(() => void vi.unstubAllEnvs());
    expect((await source.resolve(made.directory, "HEAD")).hash).toBe(hash);
  });
});

describe("paths that differ from HEAD", () => {
  it("are none in a clean tree, and ignored files do not count", async () => {
    const made = await repository();
    await made.write(".gitignore", "*.log\n");
    made.commit("one");
    await made.write("debug.log", "noise");
    expect(await source.dirtyPaths(made.directory)).toEqual([]);
  });

  it("are those changed, staged, deleted, renamed and untracked, whatever their names", async () => {
    const made = await repository();
    const text = "long enough to be recognised as the same file after it was renamed\n".repeat(5);
    for (const path of [
      "changed",
      "staged",
      "deleted",
      "with space",
      "ünïcode ☃",
      'quote"s\ttab',
      "?? like a status",
      "M  like another",
    ])
      await made.write(path, `${path}\n${text}`);
    made.commit("one");
    await made.write("changed", "2");
    await made.write("staged", "2");
    made.git("add", "staged");
    await rm(join(made.directory, "deleted"));
    made.git("mv", "with space", "another name");
    made.git("mv", "?? like a status", "renamed 1");
    made.git("mv", "M  like another", "renamed 2");
    await made.write("ünïcode ☃", "2");
    await made.write('quote"s\ttab', "2");
    await made.write("new/deep/file", "1");
    await made.write("line\nbreak", "1");
    expect((await source.dirtyPaths(made.directory)).toSorted()).toEqual(
      [
        "another name",
        "changed",
        "deleted",
        "line\nbreak",
        "new/deep/file",
        'quote"s\ttab',
        "renamed 1",
        "renamed 2",
        "staged",
        "ünïcode ☃",
      ].sort(),
    );
  });

  it("are asked for without touching the repository: its index stays as it was", async () => {
    const made = await repository();
    await made.write("file", "1");
    made.commit("one");
    // The same content with another time: git would like to write down that it has looked.
    await utimes(join(made.directory, "file"), 1, 1);
    const index = join(made.directory, ".git", "index");
    const before = await readFile(index);
    expect(await source.dirtyPaths(made.directory)).toEqual([]);
    expect((await readFile(index)).equals(before)).toBe(true);
  });
});

describe("commits between two", () => {
  it("are those of the second that the first has not, newest first, at most so many", async () => {
    const made = await repository();
    const hashes = ["one", "two", "three", "four"].map((message) => made.commit(message));
    const between = async (from: string | null, limit = 10) =>
      (await source.commits(made.directory, { from, to: hashes[3] ?? "" }, limit)).map((commit) => commit.subject);
    expect(await between(hashes[1] ?? null)).toEqual(["four", "three"]);
    expect(await between(hashes[3] ?? null)).toEqual([]);
    expect(await between(null)).toEqual(["four", "three", "two", "one"]);
    expect(await between(null, 2)).toEqual(["four", "three"]);
  });

  it("are all when the first is no longer there, as after a force push", async () => {
    const made = await repository();
    const to = made.commit("one");
    expect(await source.commits(made.directory, { from: "1".repeat(40), to }, 10)).toHaveLength(1);
  });

  it("are read right whatever their messages are", async () => {
    const made = await repository();
    const messages = [
      "a\x1fb\x1ec",
      "ünïcode ☃ 🚀",
      'tab\tand "quotes"',
      "feat: x\n\nbody\x1e\x1fwith separators\n\n  indented",
      "%H %x00 %n",
    ];
    for (const message of messages) made.commit(message);
    made.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "--quiet", "--allow-empty", "-m", "plain");
    made.git("config", "i18n.logOutputEncoding", "ISO-8859-1");
    made.git("config", "log.showSignature", "true");
    made.git("config", "color.ui", "always");
    const read = await source.commits(made.directory, { from: null, to: "HEAD" }, 10);
    expect(read.map(({ subject, body }) => (body === "" ? subject : `${subject}\n\n${body}`)).reverse()).toEqual([
      ...messages,
      "plain",
    ]);
    for (const { hash, author } of read) expect([/^[0-9a-f]{40}$/.test(hash), author]).toEqual([true, "Ada Lovelace"]);
  });

  it("are small enough to be kept with every release, also two hundred of a bot that copies change logs", async () => {
    const made = await repository();
    made.commit(`chore(deps): raise everything\n\n${"a line of somebody else's change log\n".repeat(3_000)}`);
    made.commit(`feat: ${"long ".repeat(10_000)}`);
    const read = await source.commits(made.directory, { from: null, to: "HEAD" }, 10);
    expect(JSON.stringify(read).length).toBeLessThan(2 * 4_000);
  });

  it("are meant also when a file has the name of one", async () => {
    const made = await repository();
    const hash = made.commit("one");
    await made.write(hash, "a file");
    expect(await source.commits(made.directory, { from: null, to: hash }, 10)).toHaveLength(1);
    expect((await source.resolve(made.directory, hash)).hash).toBe(hash);
  });
});

describe("exporting", () => {
  /** Every kind of thing that git keeps. */
  async function varied(): Promise<Repository> {
    const made = await repository();
    await made.write("web/server.js", "one");
    await made.write("bin/run", "#!/bin/sh\n");
    await chmod(join(made.directory, "bin/run"), 0o755);
    await symlink("../web/server.js", join(made.directory, "bin/link"));
    await symlink("/nowhere/at/all", join(made.directory, "bin/dangling"));
    await made.write("ünïcode ☃/with space\nand line", "odd");
    await made.write("--force", "a name like an option");
    await made.write(".gitattributes", "web/*.js text eol=lf\n");
    return made;
  }

  const committed = {
    ".gitattributes": "web/*.js text eol=lf\n",
    "--force": "a name like an option",
    "bin/dangling": "-> /nowhere/at/all",
    "bin/link": "-> ../web/server.js",
    "bin/run": "#!/bin/sh\n +x",
    "web/server.js": "one",
    "ünïcode ☃/with space\nand line": "odd",
  };

  it("a commit writes exactly what was committed, with modes and links, and no history", async () => {
    const made = await varied();
    const hash = made.commit("one");
    await made.write("web/server.js", "two");
    await made.write("untracked", "x");
    made.git("rm", "--quiet", "--cached", "bin/run");
    expect(await exported(made, { hash, dirty: false })).toEqual(committed);
  });

  it("a commit of a product in a sub directory writes the whole repository: its prefix says where the product is", async () => {
    const made = await varied();
    const hash = made.commit("one");
    const into = join(await temporary(), "out");
    await source.export(join(made.directory, "web"), { hash, dirty: false }, into, signal);
    expect(await tree(into)).toEqual(committed);
  });

  it("an older commit leaves the working tree and the user's index alone", async () => {
    const made = await varied();
    const hash = made.commit("one");
    await made.write("web/server.js", "two");
    made.commit("two");
    await made.write("web/server.js", "three");
    made.git("add", "web/server.js");
    const [status, index] = [made.git("status", "--porcelain"), await readFile(join(made.directory, ".git", "index"))];
    expect((await exported(made, { hash, dirty: false }))["web/server.js"]).toBe("one");
    expect(made.git("status", "--porcelain")).toBe(status);
    expect((await readFile(join(made.directory, ".git", "index"))).equals(index)).toBe(true);
  });

  it("the working tree writes what is there: changes and new files, without what is deleted or ignored", async () => {
    const made = await varied();
    await made.write(".gitignore", "*.log\n");
    const hash = made.commit("one");
    await made.write("web/server.js", "two");
    await made.write("new/file", "new");
    await made.write("debug.log", "noise");
    await rm(join(made.directory, "bin/dangling"));
    const { "bin/dangling": _, ...rest } = committed;
    expect(await exported(made, { hash, dirty: true })).toEqual({
      ...rest,
      ".gitignore": "*.log\n",
      "new/file": "new",
      "web/server.js": "two",
    });
  });

  it("the working tree takes a file that became a directory, and a directory that became a file", async () => {
    const made = await repository();
    await made.write("a", "file");
    await made.write("b/c", "file in a directory");
    const hash = made.commit("one");
    await rm(join(made.directory, "a"));
    await made.write("a/deep", "now below");
    await rm(join(made.directory, "b"), { recursive: true });
    await made.write("b", "now a file");
    expect(await exported(made, { hash, dirty: true })).toEqual({ "a/deep": "now below", b: "now a file" });
  });

  it("the working tree is never read, nor written, through a directory that became a link", async () => {
    const made = await repository();
    await made.write("data/file", "ours");
    const hash = made.commit("one");
    const outside = join(made.directory, "..", "outside");
    await mkdir(outside);
    await writeFile(join(outside, "file"), "somebody else's");
    await rename(join(made.directory, "data"), join(made.directory, "moved"));
    await symlink("../outside", join(made.directory, "data"));
    expect(await exported(made, { hash, dirty: true })).toEqual({ data: "-> ../outside", "moved/file": "ours" });
    expect(await tree(outside)).toEqual({ file: "somebody else's" });
  });

  describe("of a repository with submodules", () => {
    /** `vendor/middle`, which has `deep`; with the hash of a commit that has both. */
    async function nested(): Promise<{ readonly made: Repository; readonly hash: string }> {
      const [made, middle, deep] = [await repository(), await repository(), await repository()];
      const add = (to: Repository, of: Repository, path: string) =>
        to.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", of.directory, path);
      await deep.write("deep.js", "deep");
      deep.commit("deep");
      await middle.write("middle.js", "middle");
      add(middle, deep, "deep");
      middle.commit("middle");
      add(made, middle, "vendor/middle");
      made.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive");
      await made.write("web.js", "1");
      return { made, hash: made.commit("one") };
    }
    const files = { "web.js": "1", "vendor/middle/middle.js": "middle", "vendor/middle/deep/deep.js": "deep" };

    it("writes their files as of the commits that were committed, however deep they lie", async () => {
      const { made, hash } = await nested();
      await made.write("vendor/middle/middle.js", "changed");
      await made.write("vendor/middle/deep/new.js", "new");
      expect(await exported(made, { hash, dirty: false })).toMatchObject(files);
      expect(Object.keys(await exported(made, { hash, dirty: false }))).not.toContain("vendor/middle/deep/new.js");
      expect(await exported(made, { hash, dirty: true })).toMatchObject({
        ...files,
        "vendor/middle/middle.js": "changed",
        "vendor/middle/deep/new.js": "new",
      });
      expect(await exported(new Repository(join(made.directory, "vendor")), { hash, dirty: false })).toMatchObject(
        files,
      );
    });

    it("finds what was checked out once, also when nothing of it is there any more", async () => {
      const { made, hash } = await nested();
      made.git("submodule", "--quiet", "deinit", "--all", "--force");
      expect(await exported(made, { hash, dirty: false })).toMatchObject(files);
      await rm(join(made.directory, "vendor"), { recursive: true });
      expect(await exported(made, { hash, dirty: false })).toMatchObject(files);
    });

    it("refuses one whose commit is not there, with the command that brings it, and never takes its own files for it", async () => {
      const { made } = await nested();
      const clone = new Repository(join(await temporary(), "clone"));
      execFileSync("git", ["clone", "--quiet", made.directory, clone.directory], { stdio: "ignore" });
      const hash = clone.git("rev-parse", "HEAD");
      for (const dirty of [false, true]) {
        await expect(exported(clone, { hash, dirty })).rejects.toMatchObject({
          code: "GIT_UNKNOWN_COMMIT",
          message: expect.stringContaining("of the submodule vendor/middle is not on this machine"),
          hint: "run: git submodule update --init --recursive",
        });
      }
      // Something that is no repository, where it should be.
      await clone.write("vendor/middle/.git", "gitdir: nowhere");
      await expect(exported(clone, { hash, dirty: false })).rejects.toMatchObject({ code: "GIT_UNKNOWN_COMMIT" });
    });

    it("leaves a repository that is only lying there an empty directory, and takes one that was added without a name", async () => {
      const [made, inner] = [await repository(), await repository()];
      await inner.write("file", "1");
      inner.commit("inner");
      await made.write("web.js", "1");
      const hash = made.commit("one");
      execFileSync("git", ["clone", "--quiet", inner.directory, join(made.directory, "stray")], { stdio: "ignore" });
      expect(await exported(made, { hash, dirty: true })).toEqual({ "web.js": "1", stray: "/" });
      const added = made.commit("two");
      expect(await exported(made, { hash: added, dirty: false })).toEqual({ "web.js": "1", "stray/file": "1" });
      await rm(join(made.directory, "stray"), { recursive: true });
      await expect(exported(made, { hash: added, dirty: false })).rejects.toMatchObject({
        hint: "make it a submodule, or take it out: git rm --cached stray",
      });
    });

    it("never takes a name that leads out of git's own directory", async () => {
      const [made, other] = [await repository(), await repository()];
      await other.write("secret", "1");
      const secret = other.commit("other");
      const name = `../../../../${other.directory}/.git`;
      await made.write(".gitmodules", `[submodule "${name}"]\n\tpath = x\n\turl = .\n`);
      made.git("update-index", "--add", "--cacheinfo", `160000,${secret},x`);
      made.git("add", ".gitmodules");
      made.git("commit", "--quiet", "-m", "one");
      const hash = made.git("rev-parse", "HEAD");
      await expect(exported(made, { hash, dirty: false })).rejects.toMatchObject({ code: "GIT_UNKNOWN_COMMIT" });
    });
  });

  it("says what git said when the commit is not there", async () => {
    const made = await repository();
    made.commit("one");
    const into = join(await temporary(), "out");
    await rejected(source.export(made.directory, { hash: "2".repeat(40), dirty: false }, into, signal)).toMatchObject({
      code: "GIT_FAILED",
      evidence: [
        ["command", `git read-tree ${"2".repeat(40)}`],
        ["git said", expect.stringContaining("fatal:")],
      ],
    });
    expect(await readdir(dirname(into))).toEqual(["out"]);
  });

  it("ends at once when it is aborted", async () => {
    const made = await varied();
    const hash = made.commit("one");
    const stopped = AbortSignal.abort(new Error("enough"));
    for (const dirty of [false, true])
      await rejected(source.export(made.directory, { hash, dirty }, join(await temporary(), "out"), stopped)).toThrow(
        "enough",
      );
  });

  it("says so when the disk is full, of a commit and of a working tree", async ({ skip }) => {
    const made = await repository();
    for (let index = 0; index < 40; index += 1) await made.write(`file-${index}`, `${index}`.repeat(8_192));
    const hash = made.commit("one");
    await made.write("large", "x".repeat(20_000_000));
    const large = made.commit("two");
    const disk = await smallDisk(await temporary(), skip);
    const into = join(disk, "out");
    await mkdir(into);
    await rejected(source.export(made.directory, { hash: large, dirty: false }, into, signal)).toEqual(
      withCode("DISK_FULL"),
    );
    fillDisk(disk);
    for (const dirty of [false, true])
      await rejected(source.export(made.directory, { hash, dirty }, into, signal)).toEqual(withCode("DISK_FULL"));
  });
});

it("a clone of one commit is enough: its files, and what has changed and come since as far as that is there", async () => {
  const made = await repository();
  await made.write("here", "now");
  const hashes = ["one", "two", "three"].map((message) => made.commit(message));
  const shallow = new Repository(await temporary());
  shallow.git("clone", "--quiet", "--depth=1", `file://${made.directory}`, shallow.directory);
  const into = join(await temporary(), "out");
  const [first = "", , third = ""] = hashes;
  expect((await source.resolve(shallow.directory, "HEAD")).hash).toBe(third);
  await source.export(shallow.directory, { hash: third, dirty: false }, into, signal);
  expect(await readdir(into)).toEqual(["here"]);
  // Of what lies before nothing is known: then everything has changed, and the log begins here.
  expect(await source.changedPaths(shallow.directory, { from: first, to: third })).toBeNull();
  expect((await source.commits(shallow.directory, { from: first, to: third }, 10)).map(({ hash }) => hash)).toEqual([
    third,
  ]);

  await made.write("new/file", "new");
  const fourth = made.commit("four");
  await source.fetch(shallow.directory, { remote: "origin", ref: "refs/heads/main" }, signal);
  expect(await source.changedPaths(shallow.directory, { from: third, to: fourth })).toEqual(["new/file"]);
  expect((await source.commits(shallow.directory, { from: third, to: fourth }, 10)).map(({ hash }) => hash)).toEqual([
    fourth,
  ]);
  expect(shallow.git("rev-list", "--count", fourth)).toBe("2");
});

it("a repository that means harm has none of its commands run: hooks, aliases, monitors", async () => {
  const made = await repository();
  await made.write("file", "1");
  const hash = made.commit("one");
  const proof = join(await temporary(), "proof");
  const evil = join(made.directory, ".git", "evil");
  await writeFile(evil, `#!/bin/sh\necho "$0" >> ${proof}\n`, { mode: 0o755 });
  for (const hook of ["post-index-change", "post-checkout", "reference-transaction", "post-rewrite", "pre-auto-gc"])
    await writeFile(join(made.directory, ".git", "hooks", hook), `#!/bin/sh\necho ${hook} >> ${proof}\n`, {
      mode: 0o755,
    });
  for (const command of ["log", "status", "rev-parse", "ls-files", "read-tree"])
    made.git("config", `alias.${command}`, `!${evil}`);
  for (const key of [
    "core.fsmonitor",
    "core.pager",
    "core.editor",
    "diff.external",
    "core.sshCommand",
    "core.askPass",
    "gpg.program",
  ])
    made.git("config", key, evil);
  await made.write("file", "2");
  await made.write("; touch proof #", "x");
  await source.resolve(made.directory, "HEAD");
  expect((await source.dirtyPaths(made.directory)).toSorted()).toEqual(["; touch proof #", "file"]);
  await source.commits(made.directory, { from: null, to: hash }, 10);
  await exported(made, { hash, dirty: false });
  await exported(made, { hash, dirty: true });
  await expect(readFile(proof, "utf8")).rejects.toThrow("ENOENT");
});

it("knows where a repository was cloned from, and what its default branch is, and nothing of one that was not", async () => {
  const made = new Repository(await temporary());
  made.git("init", "--quiet", "--initial-branch=trunk");
  made.commit("feat: one");
  expect(await source.origin(made.directory)).toEqual({ url: null, defaultBranch: null });
  const clone = new Repository(join(await temporary(), "clone"));
  made.git("clone", "--quiet", made.directory, clone.directory);
  expect(await source.origin(clone.directory)).toEqual({ url: made.directory, defaultBranch: "trunk" });
});
