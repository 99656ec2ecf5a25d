import { asContainers, exampleHost, hasDockerfile } from "../config/detect/containers.ts";
import { detectProduct } from "../config/detect.ts";
import { writeConfig } from "../config/write.ts";
import { type Output, output } from "../output.ts";
import type { GlobalOptions } from "../session.ts";
import { confirm } from "../terminal/confirm.ts";
import { sign, style, table } from "../terminal/style.ts";

export type InitOptions = GlobalOptions & { readonly force?: boolean; readonly docker?: boolean };

/** Looks at what is in this directory and writes a config that validates. Says what it found and what it only guessed. */
export async function init(options: InitOptions): Promise<number> {
  const out = output(options);
  const directory = process.cwd();
  const isDocker = options.docker ?? (await wantsContainers(out, directory));
  const processes = detectProduct(directory);
  const detection = isDocker ? asContainers(directory, processes) : processes;
  const file = await writeConfig(directory, detection, { force: options.force === true });
  out.json({ file, ...detection });
  out.line(`${style.good(sign.done)} wrote ${file}`);
  const services = Object.entries(detection.product.services ?? {});
  for (const line of table(
    services.map(([name, service]) => [
      `  ${style.name(name)}`,
      service.kind ?? "",
      style.quiet(`from ${detection.services[name]?.from ?? "?"}`),
    ]),
  ))
    out.line(line);
  for (const [name] of services) {
    for (const guess of detection.services[name]?.guesses ?? [])
      out.line(`  ${style.warn(sign.warn)} ${name}: ${guess}`);
  }
  for (const note of detection.notes) out.line(`  ${style.quiet(note)}`);
  const isOnServers = detection.product.target?.driver === "docker";
  for (const line of isOnServers ? nextOnServers : nextHere(detection.product.environments)) out.line(line);
  return 0;
}

/** Only a person can know where it is to run; a script says so. */
async function wantsContainers(out: Output, directory: string): Promise<boolean> {
  if (out.mode !== "terminal" || process.stdin.isTTY !== true || !hasDockerfile(directory)) return false;
  return confirm("There is a Dockerfile: run it as containers on servers of yours?");
}

const nextOnServers: readonly string[] = [
  "",
  "Next:",
  `  1. put your servers in the place of ${exampleHost}, in target.hosts and edge.server`,
  "  2. make each ready, once: slipway server bootstrap ssh://root@<host> --caddy official",
  "  3. slipway validate, then commit it: git add -A && git commit",
  "  4. slipway plan --env production, then: slipway deploy --env production",
];

function nextHere(environments: object | undefined): readonly string[] {
  const first = Object.keys(environments ?? { production: {} })[0] ?? "production";
  return [
    `\nNext: read it and commit it (git add -A && git commit), then run: slipway validate && slipway deploy --env ${first}`,
  ];
}
