//! Reads a session's counters every two seconds while somebody looks.
import type { SessionStats } from '../protocol/generated';
import { cpuReading, memoryReading, type Reading, type Sample } from './meters';
import { Observable, type Readable } from './observable';
import type { Clock } from './ports';
import { Repeated } from './repeated';

/** Milliseconds between two readings. */
const PERIOD = 2000;

/** Both meters. */
export interface Readings {
  cpu: Reading;
  memory: Reading;
}

/** A running or resting meter. */
export class Meter extends Repeated<SessionStats> {
  readonly #readings = new Observable<Readings | undefined>(undefined);
  readonly #stats = new Observable<SessionStats | undefined>(undefined);
  #last: Sample | undefined;

  constructor(clock: Clock, read: () => Promise<SessionStats>) {
    super(clock, PERIOD, read, (stats) => this.#read({ at: this.clock.now(), stats }));
  }

  get readings(): Readable<Readings | undefined> {
    return this.#readings;
  }

  /** The last answer, whole. */
  get stats(): Readable<SessionStats | undefined> {
    return this.#stats;
  }

  #read(sample: Sample): void {
    const before = this.#last ?? sample;
    this.#last = sample;
    this.#stats.set(sample.stats);
    this.#readings.set({ cpu: cpuReading(before, sample), memory: memoryReading(sample.stats) });
  }
}
