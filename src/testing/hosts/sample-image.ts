import { randomBytes } from "node:crypto";
import type { Reachable } from "./engine-request.ts";
import { type ImageConfig, type LoadedImage, layerOf, loadImage } from "./image-archive.ts";
import { nodeConfig, nodeLayer } from "./node-image.ts";
import { type Behaviour, sampleAppSource } from "./sample-app.ts";
import { architecture, shellLayer } from "./shell-image.ts";

export type SampleOptions = {
  readonly version: string;
  /** Default: healthy. */
  readonly behaviour?: Behaviour;
  /** Without tag. Default `slipway-test/web`; the tag is the version. */
  readonly repository?: string;
  /** What the image says it was made for; it would not start on another. Default: this machine's. */
  readonly architecture?: string;
  /** Default `1000:1000`; null runs as root. */
  readonly user?: string | null;
  /** A HEALTHCHECK that asks `/healthz` every second. Default: none. */
  readonly healthcheck?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** `shell`: small and without node, for an image that is carried about and serves nobody. Default `node`. */
  readonly base?: "node" | "shell";
  /** A file in a layer of its own between base and service. Default: none. */
  readonly ballast?: Buffer;
};

/** A release of the sample service in an engine. The same options give the same image id on every engine. */
export async function sampleImage(engine: Reachable, options: SampleOptions): Promise<LoadedImage> {
  return loadImage(
    engine,
    `${options.repository ?? "slipway-test/web"}:${options.version}`,
    await sampleConfig(options),
  );
}

export async function sampleConfig(options: SampleOptions): Promise<ImageConfig> {
  const user = options.user === undefined ? "1000:1000" : options.user;
  const test = ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3000/healthz"];
  const second = 1_000_000_000;
  return {
    architecture: options.architecture ?? architecture,
    config: {
      ...nodeConfig,
      Env: [
        ...nodeConfig.Env,
        `VERSION=${options.version}`,
        `BEHAVIOUR=${JSON.stringify(options.behaviour ?? { is: "healthy" })}`,
      ],
      Cmd: ["node", "/app/server.js"],
      ExposedPorts: { "3000/tcp": {} },
      Labels: { ...options.labels },
      ...(user === null ? {} : { User: user }),
      ...(options.healthcheck === true
        ? { Healthcheck: { Test: test, Interval: second, Timeout: second, Retries: 2 } }
        : {}),
    },
    layers: [
      await (options.base === "shell" ? shellLayer() : nodeLayer()),
      ...(options.ballast === undefined ? [] : [layerOf({ "app/ballast": options.ballast })]),
      // The version is in the layer too, so that each release has one that no other has.
      layerOf({ "app/server.js": `// ${options.version}\n${sampleAppSource}` }),
    ],
  };
}

/** What does not compress, for `ballast`. */
export const noise = (bytes: number): Buffer => randomBytes(bytes);
