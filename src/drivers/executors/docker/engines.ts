import { type Docker, openDocker } from "../../../lib/docker/docker.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";

/** The engines that steps run on: which they were is kept, so that what a crash has left on them is found again. */
export class StepEngines {
  readonly #file: string;
  readonly #open = new Map<string, Docker>();
  #known: Promise<Set<string>> | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  /** Known before anything is made there. */
  async at(url: string): Promise<Docker> {
    const known = await this.#urls();
    if (!known.has(url)) {
      known.add(url);
      await writeJsonFile(this.#file, [...known], { mode: 0o600 });
    }
    const docker = this.#open.get(url) ?? openDocker({ url });
    this.#open.set(url, docker);
    return docker;
  }

  async all(): Promise<readonly Docker[]> {
    return Promise.all([...(await this.#urls())].map((url) => this.at(url)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((docker) => docker.close()));
  }

  #urls(): Promise<Set<string>> {
    this.#known ??= readJsonFile<string[]>(this.#file).then(
      (urls) => new Set(urls ?? []),
      () => new Set<string>(),
    );
    return this.#known;
  }
}
