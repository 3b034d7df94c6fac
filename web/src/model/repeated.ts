//! A question that is asked again and again while somebody looks.
import type { Dispose } from './observable';
import type { Clock } from './ports';

/** See the module. */
export class Repeated<Answer> {
  #timer: Dispose | undefined;
  /** Another number after each start: an answer to a question of before a stop counts for nothing. */
  #round = 0;

  constructor(
    protected readonly clock: Clock,
    /** Milliseconds between an answer and the next question. */
    private readonly period: number,
    private readonly ask: () => Promise<Answer>,
    private readonly take: (answer: Answer) => void,
  ) {}

  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = () => undefined;
    this.#round += 1;
    void this.#tick(this.#round);
  }

  stop(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  async #tick(round: number): Promise<void> {
    // An answer that fails is skipped: the connection's own state tells when the server is away.
    const answer = await this.ask().catch(() => undefined);
    if (this.#timer === undefined || round !== this.#round) return;
    if (answer !== undefined) this.take(answer);
    this.#timer = this.clock.after(this.period, () => void this.#tick(round));
  }
}
