//! From a click on *Start* to a session: one request, and what the page says until it is answered.
import { Failure, type Api } from './api';
import { Observable, type Readable } from './observable';
import type { World } from './ports';
import { UNREACHABLE, type Problem } from './problem';
import { Session, type Label } from './session';

/** How a start stands. */
export type StartState =
  { name: 'resting' } | { name: 'asking'; label: Label } | { name: 'refused'; label: Label; problem: Problem };

/** Starts sessions, one at a time. */
export class Start {
  readonly #state = new Observable<StartState>({ name: 'resting' });

  constructor(
    private readonly world: World,
    private readonly api: Api,
  ) {}

  get state(): Readable<StartState> {
    return this.#state;
  }

  /** Asks for a session. Returns nothing when it was refused (the state tells why) or is already being asked for. */
  async begin(label: Label): Promise<Session | undefined> {
    if (this.#state.value.name === 'asking') return undefined;
    this.#state.set({ name: 'asking', label });
    try {
      const info = await this.api.start(label.kept === undefined ? { image: label.image } : { kept: label.kept });
      this.#state.set({ name: 'resting' });
      return new Session(this.world, this.api, info.id, info);
    } catch (error) {
      const problem = error instanceof Failure ? error.problem : UNREACHABLE;
      this.#state.set({ name: 'refused', label, problem });
      return undefined;
    }
  }

  /** Forgets a refusal. */
  rest(): void {
    if (this.#state.value.name === 'refused') this.#state.set({ name: 'resting' });
  }
}
