//! Files on their way into a session: a few at once, each with its progress and, if it failed, why.
import { Failure } from './api';
import type { Expected, FileCalls, Payload } from './file-calls';
import { nameOf, shownName, shownSize } from './names';
import { Observable, type Readable } from './observable';
import { UNREACHABLE } from './problem';

/** How many are sent at once. */
const TOGETHER = 2;
/** How many are waited for at most; a folder may have any number of files. */
const MOST = 5000;

/** A file to be sent, or without a payload a directory to be made. */
export interface Wish {
  readonly path: string;
  readonly payload: Payload | undefined;
}

/** One upload. */
export interface Upload {
  readonly id: number;
  readonly path: string;
  readonly payload: Payload | undefined;
  readonly state:
    | { name: 'waiting' }
    | { name: 'sending'; share: number }
    /** A file of that name is there. */
    | { name: 'exists' }
    | { name: 'failed'; words: string };
}

/** See the module. */
export class Uploads {
  readonly #all = new Observable<readonly Upload[]>([]);
  readonly #done = new Observable(0);
  #next = 0;
  #running = 0;

  constructor(private readonly calls: FileCalls) {}

  /** Those that are not done. */
  get all(): Readable<readonly Upload[]> {
    return this.#all;
  }

  /** How many are done. */
  get done(): Readable<number> {
    return this.#done;
  }

  add(wishes: readonly Wish[], limit: number | undefined): void {
    const room = MOST - this.#all.value.length;
    const added = wishes.slice(0, room).map(({ path, payload }): Upload => {
      this.#next += 1;
      const tooLarge = limit !== undefined && payload !== undefined && payload.size > limit;
      const words = `larger than ${shownSize(limit ?? 0)}, which is the most that is taken`;
      return { id: this.#next, path, payload, state: tooLarge ? { name: 'failed', words } : { name: 'waiting' } };
    });
    if (wishes.length > room) {
      this.#next += 1;
      const words = `${wishes.length - room} more files: at most ${MOST} at once`;
      added.push({ id: this.#next, path: '', payload: undefined, state: { name: 'failed', words } });
    }
    this.#all.set([...this.#all.value, ...added]);
    this.#go();
  }

  /** Sends a file over the one that is there. */
  replace(id: number): void {
    const upload = this.#all.value.find((one) => one.id === id);
    if (upload?.state.name === 'exists') void this.#send(upload, { name: 'any' });
  }

  dismiss(id: number): void {
    this.#all.set(this.#all.value.filter((one) => one.id !== id || one.state.name === 'sending'));
  }

  #go(): void {
    while (this.#running < TOGETHER) {
      const next = this.#all.value.find((one) => one.state.name === 'waiting');
      if (next === undefined) return;
      void this.#send(next, { name: 'absent' });
    }
  }

  async #send(upload: Upload, expected: Expected): Promise<void> {
    const { id, path, payload } = upload;
    this.#running += 1;
    this.#set(id, { name: 'sending', share: 0 });
    try {
      if (payload === undefined) await this.#makeDirectory(path);
      else {
        await this.calls.upload(path, payload, expected, (sent) =>
          this.#set(id, { name: 'sending', share: payload.size === 0 ? 1 : sent / payload.size }),
        );
      }
      this.#all.set(this.#all.value.filter((one) => one.id !== id));
      this.#done.set(this.#done.value + 1);
    } catch (error) {
      const problem = error instanceof Failure ? error.problem : UNREACHABLE;
      const exists = problem.status === 412 && expected.name === 'absent';
      this.#set(id, exists ? { name: 'exists' } : { name: 'failed', words: problem.detail });
    } finally {
      this.#running -= 1;
      this.#go();
    }
  }

  async #makeDirectory(path: string): Promise<void> {
    try {
      await this.calls.makeDirectory(path);
    } catch (error) {
      // One that is there is as good.
      if (!(error instanceof Failure) || error.problem.status !== 409) throw error;
    }
  }

  #set(id: number, state: Upload['state']): void {
    this.#all.set(this.#all.value.map((one) => (one.id === id ? { ...one, state } : one)));
  }
}

/** An upload in words. */
export function uploadWords(upload: Upload): string {
  const name = shownName(nameOf(upload.path));
  switch (upload.state.name) {
    case 'waiting':
      return `${name}: waits`;
    case 'sending':
      return `${name}: ${Math.floor(upload.state.share * 100)} %`;
    case 'exists':
      return `${name} is there already`;
    case 'failed':
      return name === '' ? upload.state.words : `${name}: ${upload.state.words}`;
  }
}
