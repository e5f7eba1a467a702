/** Those who wait for a place, longest first. Each waits only so long. */
export class WaitingLine<Place> {
  readonly #waiting: ((place: Place) => void)[] = [];
  readonly #patience: number;

  /** @param patience milliseconds to wait */
  constructor(patience: number) {
    this.#patience = patience;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Waits for a place. @throws what the driver's own pool throws when none gets free in time */
  wait(): Promise<Place> {
    return new Promise((resolve, reject) => {
      const enter = (place: Place) => {
        clearTimeout(timer);
        resolve(place);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(new Error('timeout exceeded when trying to connect'));
      }, this.#patience);
      this.#waiting.push(enter);
    });
  }

  /** Gives a place to whoever has waited longest. Returns whether there was somebody. */
  serve(place: Place): boolean {
    const next = this.#waiting.shift();
    next?.(place);
    return next !== undefined;
  }
}

/** Lets so many through at once; the others wait. */
export class Lane {
  readonly #line: WaitingLine<void>;
  #free: number;

  /**
   * @param places how many at once
   * @param patience milliseconds to wait for one
   */
  constructor(places: number, patience: number) {
    this.#free = places;
    this.#line = new WaitingLine(patience);
  }

  /** Runs `work` when there is a place. @throws what the driver's own pool throws when none gets free in time */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** As {@link run}, for work that gives its results one by one. It keeps its place until the last one. */
  async *stream<T>(work: () => AsyncGenerator<T, void>): AsyncGenerator<T, void> {
    await this.#enter();
    try {
      yield* work();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await this.#line.wait();
  }

  #leave(): void {
    if (!this.#line.serve()) this.#free++;
  }
}
