//! What listens in a session, asked every few seconds while somebody looks.
import type { ListeningPort } from '../protocol/generated';
import { Observable, type Readable } from './observable';
import type { Clock } from './ports';
import { Repeated } from './repeated';

/** Milliseconds between two questions. */
const PERIOD = 3000;

/** See the module. */
export class Listening extends Repeated<ListeningPort[]> {
  readonly #ports = new Observable<readonly ListeningPort[]>([]);

  constructor(clock: Clock, ask: () => Promise<ListeningPort[]>) {
    super(clock, PERIOD, ask, (ports) => {
      if (!same(ports, this.#ports.value)) this.#ports.set(ports);
    });
  }

  get ports(): Readable<readonly ListeningPort[]> {
    return this.#ports;
  }
}

function same(some: readonly ListeningPort[], others: readonly ListeningPort[]): boolean {
  return some.length === others.length && some.every((one, n) => one.port === others[n]?.port);
}
