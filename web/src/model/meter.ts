//! Reads a session's counters every two seconds while somebody looks.
import type { SessionStats } from '../protocol/generated';
import { cpuReading, memoryReading, type Reading, type Sample } from './meters';
import { Observable, type Dispose, type Readable } from './observable';
import type { Clock } from './ports';

/** Milliseconds between two readings. */
const PERIOD = 2000;

/** Both meters. */
export interface Readings {
  cpu: Reading;
  memory: Reading;
}

/** A running or resting meter. */
export class Meter {
  readonly #readings = new Observable<Readings | undefined>(undefined);
  readonly #stats = new Observable<SessionStats | undefined>(undefined);
  #last: Sample | undefined;
  #timer: Dispose | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly read: () => Promise<SessionStats>,
  ) {}

  get readings(): Readable<Readings | undefined> {
    return this.#readings;
  }

  /** The last answer, whole. */
  get stats(): Readable<SessionStats | undefined> {
    return this.#stats;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = () => undefined;
    void this.#tick();
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    // A reading that fails is skipped: the connection's own state tells when the server is away.
    const stats = await this.read().catch(() => undefined);
    if (this.#timer === undefined) return;
    if (stats !== undefined) this.#take({ at: this.clock.now(), stats });
    this.#timer = this.clock.after(PERIOD, () => void this.#tick());
  }

  #take(sample: Sample): void {
    const before = this.#last ?? sample;
    this.#last = sample;
    this.#stats.set(sample.stats);
    this.#readings.set({ cpu: cpuReading(before, sample), memory: memoryReading(sample.stats) });
  }
}
