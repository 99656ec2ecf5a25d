/** What happens in a world, line by line, for a person. Costs nothing where nobody reads it. */
export class Trace {
  readonly lines: string[] = [];
  readonly #nowMs: () => number;
  readonly #isOn: boolean;

  constructor(isOn: boolean, nowMs: () => number) {
    this.#isOn = isOn;
    this.#nowMs = nowMs;
  }

  /** `what` is only called when the line is kept. */
  note(who: string, what: () => string): void {
    if (this.#isOn) this.lines.push(`${(this.#nowMs() / 1000).toFixed(3).padStart(9)} s  ${who.padEnd(7)} ${what()}`);
  }
}
