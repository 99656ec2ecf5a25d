import type { RevisionId } from "../../core/ids.ts";
import type { Labels } from "../../core/metric/labels.ts";
import type { Store } from "../../ports/store.ts";

/** Of a revision: which release of which service it is, and where. Never changes. */
export type RevisionLabels = Required<Pick<Labels, "environment" | "service" | "revision" | "release">>;

const maxKept = 5_000;

/** What revisions are, read from the store once each. */
export class Revisions {
  readonly #store: Store;
  readonly #known = new Map<RevisionId, RevisionLabels>();
  readonly #asked = new Map<RevisionId, Promise<RevisionLabels | null>>();

  constructor(store: Store) {
    this.#store = store;
  }

  known(revision: RevisionId): RevisionLabels | null {
    return this.#known.get(revision) ?? null;
  }

  /** Null: the store does not know it, or not yet. */
  find(revision: RevisionId): Promise<RevisionLabels | null> {
    const asked = this.#asked.get(revision) ?? this.#read(revision).finally(() => this.#asked.delete(revision));
    this.#asked.set(revision, asked);
    return asked;
  }

  async #read(revision: RevisionId): Promise<RevisionLabels | null> {
    const row = await this.#store.db
      .selectFrom("revision")
      .select(["environment", "service", "release_id"])
      .where("id", "=", revision)
      .executeTakeFirst();
    if (row === undefined) return null;
    const labels = { environment: row.environment, service: row.service, revision, release: row.release_id };
    if (this.#known.size >= maxKept) this.#known.delete(this.#known.keys().next().value ?? revision);
    this.#known.set(revision, labels);
    return labels;
  }
}
