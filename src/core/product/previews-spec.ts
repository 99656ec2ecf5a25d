/** What makes an environment a template of previews. Host and data are the release's; the rest is what is in force with the triggers. */
export type PreviewsSpec = {
  /** `{name}.preview.example.org` */
  readonly host: string;
  readonly ttlMs: number;
  /** Null: it never sleeps. */
  readonly sleepMs: number | null;
  readonly limit: number;
  readonly whenFull: "oldest" | "refuse";
  /** In whatever money the team reckons in; null: nobody reckons. */
  readonly cost: { readonly instanceHour: number; readonly perMonth: number } | null;
  readonly data: PreviewDataSpec | null;
};

export type PreviewDataSpec = {
  readonly postgres?: PreviewDatabaseSpec;
  readonly prepare: readonly string[] | null;
  readonly seed: readonly string[] | null;
  readonly destroy: readonly string[] | null;
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
};

/** A PostgreSQL database for each preview. */
export type PreviewDatabaseSpec = {
  /** What it is a copy of; null: empty. */
  readonly template: string | null;
  /** A file of the commit that it is filled with. */
  readonly dump: string | null;
  /** The secret with the address that services have, in which the database is the preview's own. */
  readonly secret: string;
  /** The secret with the address of who may make it and drop it. */
  readonly admin: string;
};
