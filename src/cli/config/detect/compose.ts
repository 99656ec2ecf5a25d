import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ProductInput } from "../../../core/product/input.ts";
import { resolveEnvironment } from "../../../core/product/resolve.ts";
import type { AccessorySpec, EnvironmentSpec, ServiceSpec } from "../../../core/product/spec.ts";
import { validateProduct } from "../../../core/product/validate.ts";
import { nameGuess } from "../../../core/product/wording.ts";
import { composeReaderAt } from "../compose/for-target.ts";
import { readCompose } from "../compose/read.ts";

const names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/** A product whose services are those of a Compose file; or why there cannot be one, which is nothing where there is no such file. */
export type ComposeDetection =
  | { readonly product: ProductInput; readonly notes: readonly string[] }
  | { readonly product: null; readonly notes: readonly string[] };

const none: ComposeDetection = { product: null, notes: [] };

/**
 * A Compose file of which something would be released is the product's. One that only has a database for development, or that cannot
 * be deployed, is told of, and the rest of the repository says what runs. Changes nothing.
 */
export function readComposeProject(directory: string): ComposeDetection {
  const file = names.find((name) => existsSync(join(directory, name)));
  if (file === undefined) return none;
  const { model } = readCompose({ directory: resolve(directory) });
  // As docker compose calls it here; it may have been running under that name for years.
  const project = model?.name ?? "";
  const name = nameGuess(project) ?? "product";
  const product: ProductInput = {
    name,
    target: { driver: "compose", ...(project === name || project === "" ? {} : { project }) },
  };
  const readAt = composeReaderAt({ directory });
  const { config, problems } = validateProduct(product, { readCompose: readAt });
  if (config === null) {
    const [first] = problems.filter(({ severity }) => severity === "error");
    const isOnlyAccessories = first?.message.startsWith("nothing of it is released") === true;
    if (model !== null && isOnlyAccessories) return none;
    // What a `.env` would bring is missing on many a machine, and nothing is wrong with the file.
    const mendable = /^there is no file |^the variable \w+ must be set/;
    const isMissing = problems.every(({ severity, message }) => severity === "warning" || mendable.test(message));
    if (isMissing) return { product, notes: [`Before it can be deployed: ${first?.path} ${first?.message}.`] };
    return {
      product: null,
      notes: [
        `${file} could be deployed as it is by target compose, but for this: ${first?.path} ${first?.message}. Mend it, and run: slipway init --force`,
      ],
    };
  }
  return { product, notes: notesOf(file, resolveEnvironment(config, "production")) };
}

function notesOf(file: string, spec: EnvironmentSpec): readonly string[] {
  const services = Object.values<ServiceSpec>(spec.services).map(({ name, kind, routes }) => {
    const at = routes.map(({ host, path }) => `${host ?? ""}${path}`).join(", ");
    const words = {
      web: at === "" ? "is asked by the others only" : `answers ${at}`,
      worker: "works in the background",
      job: "runs once in each deployment",
      static: `answers ${at}`,
    } as const;
    return `${name} ${words[kind]}`;
  });
  const accessories = Object.values<AccessorySpec>(spec.accessories).map(({ name }) => name);
  return [
    `${file}: ${services.join("; ")}.`,
    ...(accessories.length === 0
      ? []
      : [
          `${accessories.join(", ")} ${accessories.length === 1 ? "keeps" : "keep"} data: left running as it is, and never replaced by a deployment.`,
        ]),
    "Where that is wrong, say it in services here, or by x-slipway in the Compose file. What is done otherwise than by docker compose up: slipway plan.",
  ];
}
