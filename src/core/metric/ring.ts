/** Rows of numbers, oldest first, at most so many: one more pushes the oldest out. Grows as it fills, in one flat array. */
export class Ring {
  #width: number;
  readonly #capacity: number;
  #rows: Float64Array;
  #room: number;
  #first = 0;
  #length = 0;

  constructor(width: number, capacity: number) {
    this.#width = width;
    this.#capacity = capacity;
    this.#room = Math.min(capacity, 8);
    this.#rows = new Float64Array(this.#room * width);
  }

  get width(): number {
    return this.#width;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.#capacity;
  }

  /** A view of the row, not a copy: it is only good until the next change. */
  row(index: number): Float64Array {
    const at = ((this.#first + index) % this.#room) * this.width;
    return this.#rows.subarray(at, at + this.width);
  }

  at(index: number, column: number): number {
    return this.#rows[((this.#first + index) % this.#room) * this.width + column] ?? Number.NaN;
  }

  push(row: ArrayLike<number>): void {
    if (this.#length === this.#room) {
      if (this.#room < this.#capacity) this.#grow();
      else this.shift();
    }
    this.#rows.set(row, ((this.#first + this.#length) % this.#room) * this.width);
    this.#length += 1;
  }

  /** Takes the oldest away. */
  shift(): void {
    if (this.#length === 0) return;
    this.#first = (this.#first + 1) % this.#room;
    this.#length -= 1;
  }

  /** Writes over the newest. */
  replaceLast(row: ArrayLike<number>): void {
    this.#rows.set(row, ((this.#first + this.#length - 1) % this.#room) * this.width);
  }

  /** Index of the newest row whose first column is at most `limit`; -1 when there is none. Rows are in the order of it. */
  newestUpTo(limit: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle, 0) <= limit) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Makes rows wider; those that are there have zeros in what is new. */
  widen(width: number): void {
    this.#moveTo(this.#room, width);
  }

  #grow(): void {
    this.#moveTo(Math.min(this.#capacity, this.#room * 2), this.#width);
  }

  #moveTo(room: number, width: number): void {
    const rows = new Float64Array(room * width);
    for (let index = 0; index < this.#length; index += 1) rows.set(this.row(index), index * width);
    this.#rows = rows;
    this.#room = room;
    this.#width = width;
    this.#first = 0;
  }
}
