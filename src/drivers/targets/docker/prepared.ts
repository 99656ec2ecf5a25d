import type { EnvironmentName, RevisionId, ServiceName } from "../../../core/ids.ts";
import { type AtHost, ListFile } from "./list-file.ts";

type Entry = AtHost & {
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  /** By every name that an engine may know them by. */
  readonly images: readonly string[];
};

/**
 * Images that were brought to hosts for revisions before any container of theirs was made. A container says by its labels what it
 * is; these have none yet, and must be let go with their revision too, also by a control plane that comes after a crash.
 */
export class Prepared {
  readonly #list: ListFile<Entry>;

  constructor(file: string) {
    this.#list = new ListFile(file);
  }

  at(host: string, revision: RevisionId): Entry | null {
    return this.#list.all().find((each) => each.host === host && each.revision === revision) ?? null;
  }

  /** What no container may say yet that it is needed. */
  images(host: string): ReadonlySet<string> {
    return new Set(this.#list.all().flatMap((each) => (each.host === host ? each.images : [])));
  }

  add(entry: Entry): void {
    if (this.at(entry.host, entry.revision) === null) this.#list.add(entry);
  }

  done(host: string, revision: RevisionId): void {
    this.#list.dropWhere((each) => each.host === host && each.revision === revision);
  }
}
