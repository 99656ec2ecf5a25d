import { shellWord } from "../server/shell.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import { givenLines } from "./parameters.ts";
import type { SynthProduct } from "./product.ts";
import { stepScripts } from "./steps.ts";

export const deployScript = "scripts/ci/deploy.sh";
export const noticeScript = "scripts/ci/notice.sh";

/** What GitHub Actions and Jenkins call, and what a person can call in the same way. */
export function scriptFiles(product: SynthProduct): readonly SynthFile[] {
  const script = (path: string, text: string): SynthFile =>
    textFile({ artifact: "scripts", path, text, executable: true });
  const { slack, monday } = product.settings.notices;
  return [
    ...stepScripts(product),
    script(deployScript, deployText(product)),
    ...(slack === null && monday === null ? [] : [script(noticeScript, noticeText(product))]),
  ];
}

/**
 * Asks the control plane of the machine that it runs on. It never begins one: with a state directory of its own a checkout would
 * become a second product, and deploy over the first.
 */
function deployText({ parameters }: SynthProduct): string {
  return `#!/bin/sh
# deploy.sh <environment> [<environment before>]: has Slipway deploy this commit, or promote what is live in the one before.
# Runs on the machine of the control plane; or, with SLIPWAY_URL, in a job that proves itself there with its ID token.
# Exits as slipway does: 0 it is live and has passed its bake, 1 failed, 3 failed and taken back,
# 5 waits for an approval or was refused, 6 locked or frozen.
# shellcheck disable=SC2016
# (What stands in single quotes is meant as it is.)
set -eu
environment=\${1:?which environment}
before=\${2:-}
cd "$(dirname "$0")/../.."
set --
${givenLines(parameters)
  .map((line) => `${line}\n`)
  .join("")}[ ! -x node_modules/.bin/slipway ] || PATH="$PWD/node_modules/.bin:$PATH"
if [ -n "\${SLIPWAY_URL:-}" ]; then
  command -v slipway >/dev/null || { echo "slipway is not in this repository: npm install --save-dev slipway" >&2; exit 2; }
  # What is promoted is what is live in the config's promoteFrom; the job's own commit goes nowhere.
  [ -z "$before" ] || exec slipway promote "$environment" --from-ci
  exec slipway deploy --from-ci --env "$environment" "$@"
fi
: "\${SLIPWAY_STATE_DIR:?the state directory of the control plane, such as /srv/shop/.slipway}"
[ -f "$SLIPWAY_STATE_DIR/product" ] || {
  echo "there is no control plane's state in $SLIPWAY_STATE_DIR; deploy once by hand on its machine" >&2
  exit 2
}
reason=\${SLIPWAY_REASON:-"by $(basename "$0")"}
if [ -n "$before" ]; then
  set -- promote "$environment" --from "$before"
else
  set -- deploy --env "$environment" --commit "\${SLIPWAY_COMMIT:-HEAD}" "$@"
fi
exec slipway --state-dir "$SLIPWAY_STATE_DIR" "$@" --yes --reason "$reason"
`;
}

function noticeText({ name, settings: { notices } }: SynthProduct): string {
  const { slack, monday } = notices;
  return `#!/bin/sh
# notice.sh <text>: tells people. What cannot be told is said here, and is no failure of the pipeline.
# shellcheck disable=SC2016
# (What stands in single quotes is meant as it is.)
set -eu
text=${shellWord(`${name}: `)}\${1:?what to say}

# json_text <text>: as a string of JSON.
json_text() {
  printf '%s' "$1" | LC_ALL=C tr '\\000-\\037' ' ' | sed -e 's/[\\\\"]/\\\\&/g' -e 's/^/"/' -e 's/$/"/'
}

# post <address> <body> [<header>]: addresses and tokens go in by a pipe, for everybody can read arguments.
post() {
  {
    printf 'url = "%s"\\n' "$1"
    [ -z "\${3:-}" ] || printf 'header = "%s"\\n' "$3"
  } |
    curl --config - --silent --show-error --fail --output /dev/null --max-time 15 --retry 2 \\
      --header 'content-type: application/json' --data "$2" || echo 'somebody was not told' >&2
}
${
  slack === null
    ? ""
    : `
if [ -n "\${${slack}:-}" ]; then
  post "$${slack}" "{\\"text\\":$(json_text "$text")}"
else
  echo '${slack} is not set: nobody is told at Slack' >&2
fi
`
}${
  monday === null
    ? ""
    : `
if [ -n "\${${monday.tokenFrom}:-}" ]; then
  query='mutation ($item: ID!, $text: String!) { create_update(item_id: $item, body: $text) { id } }'
  post "\${MONDAY_URL:-https://api.monday.com/v2}" \\
    "{\\"query\\":$(json_text "$query"),\\"variables\\":{\\"item\\":\\"${monday.item}\\",\\"text\\":$(json_text "$text")}}" \\
    "authorization: $${monday.tokenFrom}"
else
  echo '${monday.tokenFrom} is not set: nobody is told at Monday' >&2
fi
`
}`;
}
