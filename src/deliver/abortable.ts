/** Work that ends at once when a signal or a time says so, whatever it waits for. Main thread only. */

/** What a work has begun, and can break off. */
interface Step {
  abort(reason: Error): void;
}

export class Abortable {
  #abortion: { readonly reason: Error } | undefined;
  #reject: (reason: Error) => void = () => {};
  #step: Step | undefined;

  get isAborted(): boolean {
    return this.#abortion !== undefined;
  }

  throwIfAborted(): void {
    if (this.#abortion !== undefined) throw this.#abortion.reason;
  }

  /** What is broken off by an abort from now on. */
  begin(step: Step): void {
    this.#step = step;
  }

  abort(reason: Error): void {
    if (this.#abortion !== undefined) return;
    this.#abortion = { reason };
    this.#reject(reason);
    this.#step?.abort(reason);
  }

  /** What `work` gives; rejects without waiting for it once it is aborted. */
  run<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      work.then(resolve, reject);
      if (this.#abortion !== undefined) reject(this.#abortion.reason);
    });
  }
}

/** Works by the signal that ends them. A signal gets one listener: adding and taking away one for each work costs more than the rest. */
export class Abortables {
  readonly #bySignal = new WeakMap<AbortSignal, Set<Abortable>>();

  /** Take the work out when it is done. */
  under(signal: AbortSignal): Set<Abortable> {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) return known;
    const works = new Set<Abortable>();
    this.#bySignal.set(signal, works);
    signal.addEventListener('abort', () => {
      for (const work of works) work.abort(signal.reason);
    });
    return works;
  }
}
