//! A world for the model's tests: time that passes when told, sockets that a test plays the server of, HTTP from a table.
//! They are ordinary implementations of the model's ports.
import type {
  Answer,
  Clock,
  Http,
  OpenSocket,
  OpenStream,
  SocketEvents,
  StreamEvents,
  World,
} from '../src/model/ports';

/** Time that stands still until `pass`. */
export class HandClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = { at: this.#now + milliseconds, run };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  /** Lets time pass, running what falls due, and lets promises settle in between. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = due.at;
      due.run();
      await settle();
    }
    this.#now = end;
  }
}

/** A socket of which the test plays the server. */
export class ServedSocket {
  readonly texts: string[] = [];
  readonly sent: Uint8Array[] = [];
  closed = false;
  unsent = 0;

  constructor(
    readonly path: string,
    readonly events: SocketEvents,
  ) {}

  greet(extra: Record<string, unknown> = {}): void {
    this.events.opened();
    this.say({
      type: 'hello',
      id: '1',
      mode: 'control',
      cols: 80,
      rows: 24,
      replay: false,
      replay_bytes: 0,
      seq: 0,
      ...extra,
    });
  }

  say(message: unknown): void {
    this.events.text(JSON.stringify(message));
  }

  bytes(text: string): void {
    this.events.bytes(new TextEncoder().encode(text));
  }
}

/** A stream of events of which the test plays the server. */
export interface ServedStream {
  readonly path: string;
  readonly events: StreamEvents;
  closed: boolean;
}

/** A world under the test's control. */
export function handWorld(answers: Record<string, () => Answer> = {}) {
  const clock = new HandClock();
  const sockets: ServedSocket[] = [];
  const requests: string[] = [];
  const openSocket: OpenSocket = (path, events) => {
    const socket = new ServedSocket(path, events);
    sockets.push(socket);
    return {
      sendText: (text) => void socket.texts.push(text),
      sendBytes: (bytes) => void socket.sent.push(bytes),
      get unsent() {
        return socket.unsent;
      },
      close: () => void (socket.closed = true),
    };
  };
  const streams: ServedStream[] = [];
  const openStream: OpenStream = (path, _name, events) => {
    const stream = { path, events, closed: false };
    streams.push(stream);
    return () => void (stream.closed = true);
  };
  const http: Http = async (method, path) => {
    requests.push(`${method} ${path}`);
    const answer = answers[`${method} ${path}`];
    if (answer === undefined) throw new Error('no server');
    return answer();
  };
  const world: World = { clock, chance: () => 0, http, openSocket, openStream };
  return { world, clock, sockets, streams, requests, answers };
}

/** An answer with a JSON body. */
export function answer(status: number, body: unknown): Answer {
  return { status, body, retryAfter: undefined };
}

async function settle(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}
