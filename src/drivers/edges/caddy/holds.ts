/** The answer to a request that asks at the gate: it may go on, it waited too long, or too many wait already. */
export type GateAnswer = "go" | "too-long" | "full";

type Hold = {
  readonly maxQueued: number;
  readonly waiting: Set<(answer: GateAnswer) => void>;
  readonly timer: NodeJS.Timeout;
};

/** Requests of services that are being switched over. A hold ends by itself; who asks when there is none may go on. */
export class Gate {
  readonly #holds = new Map<string, Hold>();

  /** Folders of services that are held now. */
  get held(): string[] {
    return [...this.#holds.keys()];
  }

  /** Those of an earlier hold go on waiting in this one. */
  hold(folder: string, until: { readonly maxMs: number; readonly maxQueued: number }): void {
    const before = this.#take(folder);
    const timer = setTimeout(() => this.#end(folder, "too-long"), until.maxMs);
    this.#holds.set(folder, {
      maxQueued: until.maxQueued,
      waiting: before?.waiting ?? new Set(),
      timer,
    });
  }

  release(folder: string): void {
    this.#end(folder, "go");
  }

  /** `answer` is called once, perhaps at once. Returns what to call when the client has left. */
  ask(folder: string, answer: (answer: GateAnswer) => void): () => void {
    const hold = this.#holds.get(folder);
    if (hold === undefined) {
      answer("go");
      return () => undefined;
    }
    if (hold.waiting.size >= hold.maxQueued) {
      answer("full");
      return () => undefined;
    }
    hold.waiting.add(answer);
    return () => hold.waiting.delete(answer);
  }

  #end(folder: string, how: GateAnswer): void {
    for (const answer of this.#take(folder)?.waiting ?? []) answer(how);
  }

  #take(folder: string): Hold | undefined {
    const hold = this.#holds.get(folder);
    if (hold !== undefined) clearTimeout(hold.timer);
    this.#holds.delete(folder);
    return hold;
  }
}
