import type { AccessorySpec } from "../product/spec.ts";
import { type ArtifactName, type SynthFile, textFile } from "./artifact.ts";
import { commandOf, literal } from "./compose.ts";
import { fromTop, type SynthProduct, type SynthStep } from "./product.ts";
import { stepScript } from "./steps.ts";
import { type Yaml, yamlText } from "./yaml.ts";

const file = "docker-compose.integration.yml";
export const integrationScript = "scripts/ci/integration.sh";
/** An image that has not answered by then never will. */
const waitSeconds = 120;

/** How one asks well-known images whether they are ready; others are ready when they run. */
const checks: readonly { readonly image: RegExp; readonly test: string }[] = [
  {
    image: /(?:^|\/)(?:postgres|postgis|timescaledb|pgvector)(?::|@|$)/,
    // By TCP: while the image fills a new database, a server answers at its socket that is ended again.
    test: 'pg_isready --host 127.0.0.1 --username "$$POSTGRES_USER"',
  },
  {
    image: /(?:^|\/)(?:redis|valkey)(?::|@|$)/,
    test: "$$(command -v redis-cli valkey-cli | head -n 1) ping | grep -q PONG",
  },
  { image: /(?:^|\/)mariadb(?::|@|$)/, test: "healthcheck.sh --connect --innodb_initialized" },
  { image: /(?:^|\/)mysql(?::|@|$)/, test: "mysqladmin ping --host 127.0.0.1 --silent" },
  { image: /(?:^|\/)rabbitmq(?::|@|$)/, test: "rabbitmq-diagnostics -q ping" },
  { image: /(?:^|\/)mongo(?::|@|$)/, test: "mongosh --quiet --eval 'db.runCommand({ ping: 1 }).ok' | grep -q 1" },
];

/** The words that run a step's script, as a shell has them: beside the accessories, when it names some or is called integration. */
export function stepCommand(synth: SynthStep, product: SynthProduct, selected: readonly ArtifactName[]): string {
  const script = stepScript(synth);
  const isBeside =
    selected.includes("integration") &&
    // A step with a Compose file brings up its own.
    synth.step.container?.compose === undefined &&
    Object.keys(product.environment.accessories).length > 0 &&
    (synth.step.name.split("/").at(-1) === "integration" || (synth.step.container?.beside.length ?? 0) > 0);
  return isBeside ? `${fromTop(product, integrationScript)} ${script}` : fromTop(product, script);
}

/** The accessories to throw away, and what runs a command beside them. Nothing where the product has none. */
export function integrationFiles(product: SynthProduct): readonly SynthFile[] {
  const accessories = Object.values(product.environment.accessories);
  if (accessories.length === 0) return [];
  return [
    textFile({ artifact: "integration", path: file, text: yamlText(project(accessories)) }),
    textFile({
      artifact: "integration",
      path: integrationScript,
      text: scriptText(product, accessories),
      executable: true,
    }),
  ];
}

/** No name, no fixed port, no volume: any number of them may run side by side, and nothing of one is left. */
function project(accessories: readonly AccessorySpec[]): { readonly [key: string]: Yaml } {
  return { services: Object.fromEntries(accessories.map((each) => [each.name, serviceOf(each)])) };
}

function serviceOf({ image, command, port, env, secrets, volumes, health }: AccessorySpec): Yaml {
  const own = health === undefined ? null : commandOf({ health });
  const usual = checks.find((each) => each.image.test(image));
  const check = own === null ? usual && ["CMD-SHELL", usual.test] : ["CMD", ...own.map(literal)];
  const environment: Record<string, string> = {
    ...(/(?:^|\/)(?:postgres|postgis|timescaledb|pgvector)(?::|@|$)/.test(image) && { POSTGRES_USER: "postgres" }),
    ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, literal(value)])),
    // Known to everybody, and of use to nobody: what it opens lives for one run, on this machine.
    ...Object.fromEntries(Object.keys(secrets ?? {}).map((name) => [name, "integration"])),
  };
  const written = volumes.filter(({ readOnly }) => !readOnly).map(({ path }) => literal(path));
  return {
    image,
    ...(command.length > 0 && { command: command.map(literal) }),
    ...(Object.keys(environment).length > 0 && { environment }),
    ...(port !== null && { ports: [`127.0.0.1::${port}`] }),
    ...(written.length > 0 && { tmpfs: written }),
    ...(check !== undefined && {
      healthcheck: { test: check, interval: "1s", timeout: "5s", retries: 60 },
    }),
  };
}

function scriptText({ name }: SynthProduct, accessories: readonly AccessorySpec[]): string {
  const addresses = accessories.flatMap((each) => {
    if (each.port === null) return [];
    const variable = each.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
    return [
      `address=$(compose port ${each.name} ${each.port})`,
      `export ${variable}_HOST=127.0.0.1 ${variable}_PORT="\${address##*:}"`,
    ];
  });
  return `#!/bin/sh
# integration.sh <command> [<argument>...]: runs a command beside accessories to throw away. They go whatever happens; when it
# failed, their logs are shown. Exits as the command does. The command finds each by <NAME>_HOST and <NAME>_PORT, and
# a container of its own by its name, in the network NETWORK.
set -eu
[ "$#" -gt 0 ] || { echo 'which command? like: integration.sh npm run test:integration' >&2; exit 2; }
cd "$(dirname "$0")/../.."
project="${name}-integration-$$"
compose() { docker compose --project-name "$project" --file ${file} "$@"; }
finish() {
  code=$?
  trap - EXIT
  [ "$code" -eq 0 ] || compose logs --no-color --timestamps >&2 || true
  compose down --volumes --remove-orphans --timeout 5 || true
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
compose up --detach --wait --wait-timeout ${waitSeconds}
export NETWORK="\${project}_default"
${addresses.join("\n")}${addresses.length > 0 ? "\n" : ""}"$@"
`;
}
