import { carriedByDocker } from "../compose/carried.ts";
import { differences } from "../compose/differences.ts";
import type { ComposeModel } from "../compose/model.ts";
import { type Composed, toServices } from "../compose/services.ts";
import { type ServiceName, serviceName } from "../ids.ts";
import type { TargetInput } from "./input.ts";
import type { Problem } from "./problems.ts";
import type { AccessorySpec, ComposedFileSpec, ComposedSettings, ComposeSpec, ServiceSpec } from "./spec.ts";

/** The Compose project of an environment as what is deployed: what the config says lies over it. */
export type ComposedEnvironment = {
  readonly services: Readonly<Record<ServiceName, ServiceSpec>>;
  readonly accessories: Readonly<Record<string, AccessorySpec>>;
  readonly compose: ComposeSpec;
};

/** A Compose project as it was read for one environment. */
export type ComposeRead = {
  /** As problems name it. */
  readonly file: string;
  /** Null when there is an error among the problems. */
  readonly model: ComposeModel | null;
  readonly problems: readonly Problem[];
  /** Absolute; what is built is in it. */
  readonly root: string;
  readonly outside: ComposeSpec["outside"];
  /** Whether a text holds what is not in git. */
  readonly isPrivate: (text: string) => boolean;
  /** What is kept in its place. */
  readonly seal: (text: string) => string;
};

/** Reads the project that a target names. Errors are among its problems. */
export type ComposeReader = (target: TargetInput, product: string) => ComposeRead;

/** Pure; the same for the same reading. What of it is refused comes as problems. */
export function composedEnvironment(read: ComposeRead): {
  readonly composed: ComposedEnvironment | null;
  readonly problems: readonly Problem[];
} {
  const { model, file, root } = read;
  const said = read.problems.map((problem) => ({ ...problem, path: [file, problem.path].join(" ").trim() }));
  if (model === null) return { composed: null, problems: said };
  const options = { root, carried: carriedByDocker };
  const all = differences(model, options);
  const refused = all.filter(({ consequence }) => consequence === "refused").map((each) => refusal(file, each));
  const product = toServices(model, options);
  const services = product.services.map(({ spec, secretEnv }) => sealedService(spec, secretEnv, read));
  const accessories = product.accessories.map((each) => sealedAccessory(each, read));
  return {
    composed: {
      services: Object.fromEntries(services.map((spec) => [spec.name, spec])),
      accessories: Object.fromEntries(accessories.map((spec) => [spec.name, spec])),
      compose: {
        project: model.name,
        differences: all.filter(({ consequence }) => consequence !== "refused"),
        outside: read.outside,
      },
    },
    problems: [...said, ...refused],
  };
}

function refusal(file: string, { path, sentence }: { readonly path: string; readonly sentence: string }): Problem {
  return {
    path: `${file} ${path}`,
    message: sentence,
    seen: null,
    allowed: null,
    guess: null,
    severity: "error",
  };
}

type Sealing = Pick<ComposeRead, "isPrivate" | "seal">;

function sealedService(spec: ServiceSpec, secretEnv: readonly string[], sealing: Sealing): ServiceSpec {
  return {
    ...spec,
    env: sealedEnv(spec.env, secretEnv, sealing),
    command: sealedTexts(spec.command, sealing),
    image: { ...spec.image, args: sealedEnv(spec.image.args, [], sealing) },
    ...sealedSettings(spec.composed, sealing),
  };
}

function sealedAccessory({ spec, secretEnv }: Composed<AccessorySpec>, sealing: Sealing): AccessorySpec {
  return {
    ...spec,
    env: sealedEnv(spec.env, secretEnv, sealing),
    command: sealedTexts(spec.command, sealing),
    ...sealedSettings(spec.composed, sealing),
  };
}

function sealedSettings(composed: ComposedSettings | undefined, sealing: Sealing): { composed?: ComposedSettings } {
  if (composed === undefined) return {};
  const { entrypoint, command, healthcheck, files } = composed;
  return {
    composed: {
      ...composed,
      entrypoint: entrypoint === null ? null : sealedTexts(entrypoint, sealing),
      command: command === null ? null : sealedTexts(command, sealing),
      healthcheck: healthcheck === null ? null : { ...healthcheck, test: sealedTexts(healthcheck.test, sealing) },
      files: files.map((file): ComposedFileSpec => ({ ...file, text: sealing.seal(file.text) })),
    },
  };
}

function sealedEnv(
  env: Readonly<Record<string, string>>,
  secret: readonly string[],
  { isPrivate, seal }: Sealing,
): Readonly<Record<string, string>> {
  const entries = Object.entries(env).map(([name, value]) => {
    const hide = value !== "" && (secret.includes(name) || isPrivate(value));
    return [name, hide ? seal(value) : value] as const;
  });
  return Object.fromEntries(entries);
}

function sealedTexts(texts: readonly string[], { isPrivate, seal }: Sealing): readonly string[] {
  return texts.map((text) => (isPrivate(text) ? seal(text) : text));
}

/** Names of a Compose project's parts, for what a config says about them. */
export function namesOf({ services, accessories }: ComposedEnvironment): {
  readonly services: readonly ServiceName[];
  readonly accessories: readonly string[];
} {
  return { services: Object.keys(services).map(serviceName), accessories: Object.keys(accessories) };
}
