import type { RevisionId } from "../../../core/ids.ts";
import { type AtHost, ListFile } from "./list-file.ts";

/**
 * Revisions to remove at hosts that were away when it was asked for. On disk, because the host may be away for longer than we live.
 */
export class Owed {
  readonly #list: ListFile<AtHost>;

  constructor(file: string) {
    this.#list = new ListFile(file);
  }

  at(host: string): readonly RevisionId[] {
    return this.#list
      .all()
      .filter((each) => each.host === host)
      .map((each) => each.revision);
  }

  add(host: string, revision: RevisionId): void {
    if (!this.at(host).includes(revision)) this.#list.add({ host, revision });
  }

  done(host: string, revision: RevisionId): void {
    this.#list.dropWhere((each) => each.host === host && each.revision === revision);
  }

  forgive(revision: RevisionId): void {
    this.#list.dropWhere((each) => each.revision === revision);
  }
}
