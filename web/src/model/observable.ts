//! A value that tells when it changes, in the shape of Svelte's store contract, so that components read it as `$value`.
//! It knows nothing of Svelte.

/** Ends a subscription, a timer or a connection. Calling it twice does no harm. */
export type Dispose = () => void;

/** The reading end. */
export interface Readable<T> {
  readonly value: T;
  /** Calls `run` with the present value at once and with each later one. */
  subscribe(run: (value: T) => void): Dispose;
}

/** The writing end: belongs to one owner. */
export class Observable<T> implements Readable<T> {
  #value: T;
  readonly #subscribers = new Set<{ run: (value: T) => void }>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const subscriber of [...this.#subscribers]) subscriber.run(value);
  }

  subscribe(run: (value: T) => void): Dispose {
    const subscriber = { run };
    this.#subscribers.add(subscriber);
    run(this.#value);
    return () => void this.#subscribers.delete(subscriber);
  }
}
