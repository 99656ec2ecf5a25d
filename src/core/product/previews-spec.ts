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
  readonly prepare: readonly string[] | null;
  readonly seed: readonly string[] | null;
  readonly destroy: readonly string[] | null;
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
};
