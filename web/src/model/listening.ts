//! What listens in a session, asked every few seconds while somebody looks.
import type { ListeningPort } from '../protocol/generated';
import { Observable, type Dispose, type Readable } from './observable';
import type { Clock } from './ports';

/** Milliseconds between two questions. */
const PERIOD = 3000;

/** See the module. */
export class Listening {
  readonly #ports = new Observable<readonly ListeningPort[]>([]);
  #timer: Dispose | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => Promise<ListeningPort[]>,
  ) {}

  get ports(): Readable<readonly ListeningPort[]> {
    return this.#ports;
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
    // An answer that fails is skipped: the connection's own state tells when the server is away.
    const ports = await this.ask().catch(() => undefined);
    if (this.#timer === undefined) return;
    if (ports !== undefined && !same(ports, this.#ports.value)) this.#ports.set(ports);
    this.#timer = this.clock.after(PERIOD, () => void this.#tick());
  }
}

function same(some: readonly ListeningPort[], others: readonly ListeningPort[]): boolean {
  return some.length === others.length && some.every((one, n) => one.port === others[n]?.port);
}
