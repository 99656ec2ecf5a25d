import { mainPart } from "./main-part.ts";
import { prelude } from "./prelude.ts";
import type { EdgeSource, OpenPort, ServerSettings } from "./settings.ts";
import { sh, shellWord } from "./shell.ts";
import type { Step } from "./step.ts";
import { steps } from "./steps.ts";

/** Caddy's own apt repository and the key that signs it (https://caddyserver.com/docs/install#debian-ubuntu-raspbian, 2026-11-21). */
export const official = {
  url: "https://dl.cloudsmith.io/public/caddy/stable/deb/debian",
  keyUrl: "https://dl.cloudsmith.io/public/caddy/stable/gpg.key",
  fingerprint: "65760C51EDEA2017CEA2CA15155B6D79CA56EA34",
};

/**
 * `init-server.sh`: a POSIX shell script that makes a server ready, safe to repeat, readable, and all there is: `slipway server`
 * runs this text and nothing else. Same settings, same text.
 */
export function serverScript(settings: ServerSettings): string {
  const parts = [
    header,
    section("Settings", settingLines(settings).join("\n")),
    section("What the steps use", prelude),
    ...steps.map((step, index) => stepText(step, index + 1)),
    section("The list", listText()),
    section("What it does with the list", mainPart),
    'main "$@"',
  ];
  return `${parts.join("\n\n")}\n`;
}

const header = `#!/bin/sh
# init-server.sh: makes a Debian or Ubuntu server ready for Slipway. Safe to repeat; undoes nothing that is not its own.
# Written by slipway server bootstrap, which runs exactly this.
#
#   sh init-server.sh           shows what is and what would change, asks, changes it
#   sh init-server.sh check     shows what is; exit code 0 when all is as it should be, 1 when not, 2 when it cannot be
#   sh init-server.sh apply     changes what is missing, without a question
#   sh init-server.sh confirm   after a new login: keeps the changes to SSH and firewall, which else are taken back
#
# shellcheck disable=SC1091,SC2016,SC2317,SC2329
# (Text for other shells in single quotes is meant, and steps are called by the names in the list.)
set -u`;

function settingLines({ deployUser, keys, edge, open, trust, undoAfterS }: ServerSettings): string[] {
  const repository = edgeRepository(edge);
  return [
    remembered,
    given("deploy_user", deployUser, "deploy"),
    "# Public keys that may log in as it; none: those of whoever runs this.",
    `deploy_keys=${shellWord(keys.join("\n"))}`,
    "# Where Caddy comes from when the server has none: distribution, repository, none.",
    given("edge_source", edge === null ? null : edgeSources[edge.is], "distribution"),
    `edge_url=${shellWord(repository.url)}`,
    `edge_key_url=${shellWord(repository.keyUrl)}`,
    "# The key that is downloaded must have this fingerprint; none: the key is below.",
    `edge_fingerprint=${shellWord(repository.fingerprint)}`,
    `edge_key() {\n  cat <<'EOF'\n${repository.armoredKey}\nEOF\n}`,
    "# Open from outside, besides SSH, 80 and 443.",
    given("open_tcp", open === null ? null : portsOf(open, "tcp"), ""),
    given("open_udp", open === null ? null : portsOf(open, "udp"), ""),
    "# Ranges that may reach everything here.",
    given("trust_v4", trust?.filter((range) => !range.includes(":")).join(" ") ?? null, ""),
    given("trust_v6", trust?.filter((range) => range.includes(":")).join(" ") ?? null, ""),
    "# Changes to SSH and firewall are taken back after so many seconds, unless confirmed by a new login.",
    `undo_after_s=${undoAfterS}`,
  ];
}

const remembered = sh`
  # What an earlier bootstrap was asked for, where this one does not say: kept <name> <default>.
  kept_file=/etc/slipway/server.conf
  kept() {
    if grep -qs "^$1=" "$kept_file"; then
      sed -n "s/^$1=//p" "$kept_file" | tail -n 1 | tr -cd 'A-Za-z0-9.:/ -'
    else
      printf '%s' "$2"
    fi
  }
  kept_text() {
    echo "# $mark"
    for name in deploy_user edge_source open_tcp open_udp trust_v4 trust_v6; do
      eval "value=\$$name"
      # Once Caddy has come from another repository, apt knows where its updates are.
      [ "$name=$value" != edge_source=repository ] || value=distribution
      echo "$name=$value"
    done
  }
`;

function given(name: string, value: string | null, fallback: string): string {
  return value === null ? `${name}=$(kept ${name} ${shellWord(fallback)})` : `${name}=${shellWord(value)}`;
}

function portsOf(open: readonly OpenPort[], protocol: OpenPort["protocol"]): string {
  return open
    .filter((each) => each.protocol === protocol)
    .map((each) => each.port)
    .join(" ");
}

const edgeSources: Readonly<Record<EdgeSource["is"], string>> = {
  distribution: "distribution",
  none: "none",
  official: "repository",
  mirror: "repository",
};

/** Caddy's own also when it is not used: the hint of a Caddy that is too old names its key. */
function edgeRepository(edge: EdgeSource | null): {
  readonly [key in "url" | "keyUrl" | "fingerprint" | "armoredKey"]: string;
} {
  return edge?.is === "mirror"
    ? { url: edge.url, keyUrl: "", fingerprint: "", armoredKey: edge.armoredKey }
    : { ...official, armoredKey: "" };
}

function stepText(step: Step, number: number): string {
  return [
    `# ---- ${number}. ${step.title}`,
    ...step.why.split(/(?<=[.;]) /).map((sentence) => `# ${sentence}`),
    ...(step.parts === undefined ? [] : [step.parts]),
    shellFunction(`check_${step.id}`, step.check),
    shellFunction(`apply_${step.id}`, step.apply ?? "return 0"),
  ].join("\n");
}

/** The body as it is: indenting it would move the ends of here-documents. */
function shellFunction(name: string, body: string): string {
  return `${name}() {\n${body.includes("<<") ? body : body.replace(/^(?=.)/gm, "  ")}\n}`;
}

function listText(): string {
  const cases = (of: (step: Step) => string): string[] =>
    steps.map((step) => `    ${step.id}) echo ${shellWord(of(step))} ;;`);
  return [
    `steps=${shellWord(steps.map((step) => step.id).join(" "))}`,
    "title_of() {",
    "  case $1 in",
    ...cases((step) => step.title),
    "  esac",
    "}",
    "needs_of() {",
    "  case $1 in",
    ...cases((step) => step.needs.join(" ")),
    "  esac",
    "}",
  ].join("\n");
}

function section(title: string, text: string): string {
  return `# ---- ${title}\n${text}`;
}
