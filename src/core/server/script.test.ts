import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { official, serverScript } from "./script.ts";
import { defaultSettings, type ServerSettings } from "./settings.ts";
import { sh, shellWord } from "./shell.ts";
import { steps } from "./steps.ts";

const full: ServerSettings = {
  deployUser: "ci",
  keys: [`ssh-ed25519 ${"A".repeat(68)} ops@laptop`, `ssh-rsa ${"B".repeat(300)}`],
  edge: {
    is: "mirror",
    url: "https://apt.example.com/caddy",
    armoredKey: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----",
  },
  open: [
    { port: 5432, protocol: "tcp" },
    { port: 51_820, protocol: "udp" },
  ],
  trust: ["10.0.0.0/16", "fd00::/8"],
  undoAfterS: 60,
};

describe("init-server.sh", () => {
  it.each([
    ["with nothing asked for", defaultSettings],
    ["with everything asked for", full],
    ["with Caddy's own repository", { ...defaultSettings, edge: { is: "official" } } as const],
  ])("is clean for shellcheck, %s", (_, settings) => {
    const checked = spawnSync("shellcheck", ["--shell=sh", "--severity=style", "-"], {
      input: serverScript(settings),
      encoding: "utf8",
    });
    expect(checked.error, "shellcheck is missing; run: apt-get install --yes shellcheck").toBeUndefined();
    expect(checked.stdout).toBe("");
    expect(checked.status).toBe(0);
  });

  it("has every step with its reason, and is called by its last line, so that half of it does nothing", () => {
    const script = serverScript(full);
    for (const step of steps) {
      expect(script).toContain(`check_${step.id}() {`);
      expect(script).toContain(`apply_${step.id}() {`);
      expect(script).toContain(step.title);
    }
    expect(script.trimEnd().split("\n").at(-1)).toBe('main "$@"');
    // Cut anywhere, as when the connection is lost while it is sent: no line of it does more than define.
    for (const part of [0.3, 0.6, 0.9, 0.999]) {
      const cut = script.slice(0, Math.floor(script.length * part));
      const run = spawnSync("/bin/sh", ["-s", "--", "check"], {
        input: cut,
        encoding: "utf8",
        env: { PATH: "/nowhere" },
      });
      expect(run.stdout).toBe("");
    }
  });

  it("says what it was asked for, and remembers what it was not", () => {
    const script = serverScript(full);
    expect(script).toContain("deploy_user='ci'");
    expect(script).toContain("open_tcp='5432'");
    expect(script).toContain("trust_v6='fd00::/8'");
    expect(script).not.toContain(official.fingerprint);
    expect(serverScript(defaultSettings)).toContain("open_tcp=$(kept open_tcp '')");
    expect(serverScript(full)).toBe(script);
  });

  it("steps need only what comes before them", () => {
    for (const [index, step] of steps.entries()) {
      for (const need of step.needs) expect(steps.findIndex((each) => each.id === need)).toBeLessThan(index);
    }
  });

  it("words of people are one word of the shell", () => {
    for (const text of ["it's", "$(id)", "a b", "`x`", "", "\\", "\n"]) {
      const said = spawnSync("sh", ["-c", `printf %s ${shellWord(text)}`], { encoding: "utf8" });
      expect(said.stdout).toBe(text);
    }
    expect(() => shellWord("\0")).toThrow(TypeError);
  });

  it("pieces of shell lose the indent they share", () => {
    expect(sh`
      if true; then
        echo "\${HOME}"
      fi
    `).toBe(["if true; then", `  echo "$${"{HOME}"}"`, "fi"].join("\n"));
  });
});
