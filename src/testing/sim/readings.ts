type Row = Readonly<Record<string, unknown>>;
type Value = unknown;

type Question = {
  readonly tables: readonly { changed: number }[];
  readonly answers: Map<Value, { readonly rows: readonly Row[]; readonly at: number }>;
};

/**
 * What was read of a database, for who asks the same before anything has been written to the tables of which it was read. Nine of ten looks of
 * a control plane find nothing new, and SQLite's binding makes each row anew, property by property. Rows are frozen, as
 * others read them too. No trigger and no foreign key of the schema writes to another table than a statement names.
 */
export class Readings {
  readonly #tables = new Map<string, { changed: number }>();
  readonly #questions = new Map<string, Question>();
  readonly #written = new Map<string, { changed: number } | null>();
  #now = 0;

  rows(sql: string, values: readonly Value[], read: () => readonly Row[]): Row[] {
    const question = this.#questions.get(sql) ?? this.#ask(sql);
    if (question === null) return [...read()];
    // No value of a question has this in it; one without a value is asked by "is null".
    const key = values.length === 1 ? values[0] : values.join("\u0000");
    const known = question.answers.get(key);
    if (known !== undefined && question.tables.every(({ changed }) => changed <= known.at)) return known.rows.slice();
    const rows = read();
    for (const row of rows) Object.freeze(row);
    question.answers.set(key, { rows, at: this.#now });
    return rows.slice();
  }

  /** A statement that writes was run. */
  wrote(sql: string): void {
    const known = this.#written.get(sql);
    if (known !== undefined) {
      if (known !== null) known.changed = ++this.#now;
      return;
    }
    const name = /^\s*(?:insert(?: or \w+)? into|update|delete from)\s+"?(\w+)"?/i.exec(sql)?.[1];
    this.#written.set(sql, name === undefined ? null : this.#table(name));
    if (name !== undefined) this.wrote(sql);
  }

  /** What was written is undone, or was written past this. */
  forget(): void {
    for (const { answers } of this.#questions.values()) answers.clear();
  }

  /** Null for what is not only read from tables. */
  #ask(sql: string): Question | null {
    if (!/^\s*select\b/i.test(sql)) return null;
    const names = [...sql.matchAll(/\b(?:from|join)\s+"?(\w+)"?/gi)].map(([, name]) => name ?? "");
    const question = { tables: names.map((name) => this.#table(name)), answers: new Map() };
    this.#questions.set(sql, question);
    return question;
  }

  #table(name: string): { changed: number } {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const table = { changed: 0 };
    this.#tables.set(name, table);
    return table;
  }
}
