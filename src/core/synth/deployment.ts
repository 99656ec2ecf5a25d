import { type ArtifactName, type SynthFile, textFile } from "./artifact.ts";
import { neededVariables } from "./env.ts";
import { jenkinsSchedules } from "./jenkins.ts";
import { fromTop, type SynthProduct } from "./product.ts";
import { deployScript } from "./scripts.ts";
import type { SynthDeploy } from "./settings.ts";

/** What a person has to know and do, with boxes to tick: of what was selected, and of nothing else. */
export function deploymentFiles(product: SynthProduct, selected: readonly ArtifactName[]): readonly SynthFile[] {
  const has = (name: ArtifactName): boolean => selected.includes(name);
  const sections = [
    [`# ${product.name}: how it gets to its users`],
    placesOf(product),
    onceText(product, has),
    eachText(product, has),
    ...(has("compose") ? [composeText(product)] : []),
    backText(product, has),
    [
      "## When this is no longer true",
      "",
      "This page and the files it names are made from `slipway.config.*`. After a change there: `slipway synth`. In CI:",
      "`slipway synth --check` fails where they differ, and shows how.",
    ],
  ];
  const text = sections.map((lines) => `${lines.join("\n")}\n`).join("\n");
  return [textFile({ artifact: "deployment", path: "DEPLOYMENT.md", comment: "<!--", text })];
}

function placesOf({ environments, settings }: SynthProduct): readonly string[] {
  const rows = environments.map((each) => {
    const where =
      each.target.driver === "process"
        ? "processes on one machine"
        : each.target.hosts.map(({ name }) => name).join(", ");
    const deploy = settings.deploys.find(({ environment }) => environment === each.environment);
    return `| ${[each.environment, where, each.edge.driver, deploy === undefined ? "by hand" : wayOf(deploy)].join(" | ")} |`;
  });
  return ["## Where it runs", "", "| environment | on | edge | releases come |", "| --- | --- | --- | --- |", ...rows];
}

function wayOf({ branches, tags, from, approval }: SynthDeploy): string {
  const refs = [...branches.map(code), ...tags.map((tag) => `tag ${code(tag)}`)].join(", ");
  const way = from === null ? `from ${refs}` : `from ${from}, unchanged`;
  return approval ? `${way}, when somebody has said yes` : way;
}

function onceText(product: SynthProduct, has: (name: ArtifactName) => boolean): readonly string[] {
  const { settings, environment } = product;
  const secrets = [...new Set(product.steps.flatMap(({ step }) => step.secrets))].sort();
  const told = [settings.notices.slack, settings.notices.monday?.tokenFrom].filter((name) => name != null);
  const inStore = [...secrets, ...told];
  const hosts =
    environment.target.driver === "docker" ? environment.target.hosts.filter(({ url }) => url.startsWith("ssh:")) : [];
  const variables = neededVariables(product).slice(1);
  return [
    "## Once",
    "",
    ...hosts.map(
      ({ url, name }) =>
        `- [ ] ${name} is ready: \`slipway server bootstrap ${rootOf(url)}\`${has("server") ? ", or `init-server.sh` on it" : ""}`,
    ),
    ...(has("github") || has("jenkins")
      ? [
          "- [ ] The control plane runs on a machine of yours; its state directory is backed up: `slipway state backup <file>`",
          `- [ ] It has deployed once, by hand: \`slipway deploy --env ${settings.deploys[0]?.environment ?? environment.environment}\``,
        ]
      : []),
    ...(has("github")
      ? [
          ...settings.deploys
            .filter(({ url }) => url !== null)
            .map(
              ({ environment: name, from }) =>
                `- [ ] Jobs of this repository may ${from === null ? "deploy to" : "promote to"} ${code(name)} by their ID token (\`triggers.ci\`): \`slipway triggers apply\``,
            ),
          ...(settings.deploys.some(({ url }) => url !== null)
            ? ["- [ ] `slipway` is among the repository's `devDependencies`, and in its lock file"]
            : []),
          ...(settings.deploys.some(({ url }) => url === null)
            ? [
                `- [ ] A runner of GitHub with the label \`${settings.deployRunner}\` runs on that machine, as the user of the control plane, for this repository only`,
                "- [ ] The repository's variable `SLIPWAY_STATE_DIR` is the path of the state directory",
              ]
            : []),
          ...settings.deploys.map(
            ({ environment: name, approval }) =>
              `- [ ] GitHub's environment \`${name}\` is there, for its branches only${approval ? ", with its reviewers" : ""}`,
          ),
          ...inStore.map((name) => `- [ ] The repository's secret \`${name}\``),
        ]
      : []),
    ...(has("github") || has("jenkins")
      ? settings.ownSchedules.map(
          ({ name, branch }) =>
            `- [ ] The schedule \`${name}\` of ${code(branch)} is begun by the control plane alone: \`slipway triggers apply\``,
        )
      : []),
    ...(has("jenkins")
      ? settings.schedules
          .filter((schedule) => !jenkinsSchedules(settings).includes(schedule))
          .map(
            ({ name, timeZone }) =>
              `- [ ] Jenkins has one time zone a job: the schedule \`${name}\` (${timeZone}) is begun by the control plane alone`,
          )
      : []),
    ...(has("jenkins")
      ? [
          `- [ ] An agent of Jenkins with the label \`${settings.deployRunner}\` runs on that machine, as the user of the control plane`,
          "- [ ] That agent's environment has `SLIPWAY_STATE_DIR`, the path of the state directory",
          "- [ ] The plugins Pipeline, Git, Credentials Binding and JUnit; a multibranch job for this repository",
          ...inStore.map((name) => `- [ ] The credential \`${name}\`, of the kind "Secret text"`),
        ]
      : []),
    ...(has("env") && variables.length > 0
      ? [
          `- [ ] \`.env.${environment.environment}\` is made from its template, with mode 600, and is not in git: ${variables.map(({ name }) => code(name)).join(", ")}`,
        ]
      : []),
    ...(has("dependabot") ? ["- [ ] Dependabot is switched on for the repository"] : []),
    "- [ ] The names of the sites lead to the edge: `slipway server check ssh://root@<host> --domain <name>`",
    "- [ ] Somebody has rolled back once, and knows how: see below",
  ];
}

function eachText(product: SynthProduct, has: (name: ArtifactName) => boolean): readonly string[] {
  const { settings } = product;
  const steps = [...new Set(product.steps.map(({ step }) => step.name))];
  return [
    "## Each release",
    "",
    ...(steps.length > 0 ? [`- [ ] The checks are green: ${steps.map(code).join(", ")}`] : []),
    ...settings.deploys.flatMap((deploy) => [
      ...(deploy.approval
        ? [
            `- [ ] ${deploy.environment}: ${deploy.approvers.length > 0 ? deploy.approvers.join(", ") : "somebody"} has read the change log and said yes: \`slipway approve ${deploy.environment}\``,
          ]
        : []),
      `- [ ] ${deploy.environment}: ${wayOf(deploy)}${has("scripts") ? `, by \`${fromTop(product, deployScript)} ${deploy.environment}${deploy.from === null ? "" : ` ${deploy.from}`}\`` : ""}; the release has passed its bake: \`slipway status\``,
    ]),
    "- [ ] What changed for users is told to those who ask about it",
  ];
}

function composeText({ environment }: SynthProduct): readonly string[] {
  const command = `docker compose --env-file .env.${environment.environment} -f docker-compose.prod.yml`;
  return [
    "## Without Slipway, on one machine",
    "",
    "```sh",
    `${command} config --quiet     # is everything there?`,
    `${command} up --detach --wait`,
    "```",
    "",
    "This replaces containers in place: requests fail meanwhile, and nothing watches afterwards. To go back, put the release before into",
    "`TAG` and do it again.",
  ];
}

function backText({ environment }: SynthProduct, has: (name: ArtifactName) => boolean): readonly string[] {
  return [
    "## Back",
    "",
    ...(has("github") || has("jenkins")
      ? [
          "Where Slipway deploys, a bad release is taken back by itself. By hand, in seconds, with its config, without an argument:",
          "",
        ]
      : ["With Slipway, in seconds, with its config, without an argument:", ""]),
    "```sh",
    `slipway rollback ${environment.environment}`,
    "```",
  ];
}

const code = (text: string): string => `\`${text}\``;

/** The same host, as a user who may change it. */
function rootOf(url: string): string {
  const at = new URL(url);
  return `ssh://root@${at.hostname}${at.port === "" ? "" : `:${at.port}`}`;
}
