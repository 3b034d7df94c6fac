//! One terminal's connection, which comes back by itself. It owns the socket, the waiting and the acknowledging; it knows
//! nothing of xterm.js, and what it calls `Sink` may be anything that draws bytes.
//!
//! ```text
//!              open        hello
//!   ┌──────────────────▶ connecting ─────────▶ live
//!   │                        │ closed            │ closed
//!   │   time, or `nudge`     ▼                   │
//!   └────────────────────  waiting ◀─────────────┘
//!                            │ the session is gone, the shell ended, or `close`
//!                            ▼
//!                          closed
//! ```
import type { ServerMessage, TerminalMode } from '../protocol/generated';
import { formatClientMessage, parseServerMessage, ProtocolError } from '../protocol/terminal';
import { backoff } from './backoff';
import { Flow } from './flow';
import { Observable, type Dispose, type Readable } from './observable';
import type { Socket, World } from './ports';

/** Where a connection stands. */
export type LinkState =
  | { name: 'connecting'; attempt: number }
  | { name: 'live'; mode: TerminalMode }
  | { name: 'waiting'; attempt: number; until: number; why: string }
  | { name: 'closed'; why: CloseReason };

/** Why a connection will not come back. */
export type CloseReason = { name: 'left' } | { name: 'exited'; code: number } | { name: 'gone' };

/** What happens to a connection. */
export type LinkEvent =
  | { name: 'opening' }
  | { name: 'greeted'; mode: TerminalMode }
  | { name: 'lost'; why: string; until: number }
  | { name: 'exited'; code: number }
  | { name: 'gone' }
  | { name: 'left' };

/** The state after an event. A closed connection stays closed. */
export function nextState(state: LinkState, event: LinkEvent): LinkState {
  if (state.name === 'closed') return state;
  const attempt = 'attempt' in state ? state.attempt : 0;
  switch (event.name) {
    case 'opening':
      return { name: 'connecting', attempt };
    case 'greeted':
      return { name: 'live', mode: event.mode };
    case 'lost':
      return { name: 'waiting', attempt: attempt + 1, until: event.until, why: event.why };
    case 'exited':
      return { name: 'closed', why: { name: 'exited', code: event.code } };
    case 'gone':
      return { name: 'closed', why: { name: 'gone' } };
    case 'left':
      return { name: 'closed', why: { name: 'left' } };
  }
}

/** What draws a terminal. */
export interface Sink {
  /** Empties the terminal: what follows brings it to the present screen. */
  reset(): void;
  /** Draws bytes, then calls `done`. */
  write(bytes: Uint8Array, done: () => void): void;
  /** The program's size was set by somebody else. */
  resized(cols: number, rows: number): void;
}

/** Told to the session: messages that concern more than this terminal. */
export type Herald = (message: Extract<ServerMessage, { type: 'notice' | 'lease' }>) => void;

/** Whether a terminal is still there to be connected to; asked before each further attempt. */
export type Probe = () => Promise<'there' | 'gone'>;

/** Input beyond this many unsent bytes is dropped: the network does not take it, and a flood must not fill the memory. */
const UNSENT_LIMIT = 1024 * 1024;
/** The largest frame sent, in bytes. */
const FRAME = 16 * 1024;
/** A connection that has not been greeted after this many milliseconds is given up. */
const GREETING = 10_000;

/** A connection to one terminal. */
export class Link {
  readonly #state = new Observable<LinkState>({ name: 'connecting', attempt: 0 });
  #socket: Socket | undefined;
  #timer: Dispose = () => undefined;
  #sink: Sink | undefined;
  #early: (() => void)[] = [];
  #flow = new Flow();
  #size: { cols: number; rows: number } | undefined;
  /** Bytes of the replay that are not drawn yet. */
  #replay = 0;

  /** Starts connecting at once. */
  constructor(
    private readonly world: World,
    private readonly path: string,
    private readonly probe: Probe,
    private readonly herald: Herald,
  ) {
    this.#open();
  }

  get state(): Readable<LinkState> {
    return this.#state;
  }

  /** The size last told. */
  get size(): { cols: number; rows: number } | undefined {
    return this.#size;
  }

  /** Gives the connection its terminal. What came before is drawn now: the socket need not wait for the drawing code. */
  attach(sink: Sink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = [];
    for (const draw of early) draw();
  }

  /**
   * Sends what was typed. Returns false when there is no connection that takes it. What the terminal itself says while a
   * replay is drawn is dropped: programs' questions in it were answered long ago.
   */
  send(bytes: Uint8Array): boolean {
    if (this.#replay > 0) return true;
    const socket = this.#socket;
    if (this.#state.value.name !== 'live' || socket === undefined || socket.unsent > UNSENT_LIMIT) return false;
    for (let at = 0; at < bytes.length; at += FRAME) socket.sendBytes(bytes.subarray(at, at + FRAME));
    return true;
  }

  /** Tells the size of the page's terminal, now and after each reconnect. */
  resize(cols: number, rows: number): void {
    if (this.#size?.cols === cols && this.#size.rows === rows) return;
    this.#size = { cols, rows };
    this.#tellSize();
  }

  /** Tries at once instead of waiting: the network came back, or the visitor asked. */
  nudge(): void {
    if (this.#state.value.name === 'waiting') this.#retry();
  }

  /** Ends the connection for good. */
  close(): void {
    this.#finish({ name: 'left' });
  }

  #open(): void {
    this.#step({ name: 'opening' });
    this.#flow = new Flow();
    const flow = this.#flow;
    // A socket that was replaced may still speak: only the present one is heard.
    const heard = (run: () => void) => () => void (this.#flow === flow && run());
    this.#timer();
    this.#timer = this.world.clock.after(GREETING, () => this.#lost('the server did not greet'));
    this.#socket = this.world.openSocket(this.path, {
      opened: () => undefined,
      text: (text) => heard(() => this.#text(text))(),
      bytes: (bytes) => heard(() => this.#bytes(bytes))(),
      closed: (code, reason) => heard(() => this.#lost(reason || `the connection closed (${code})`))(),
    });
  }

  #text(text: string): void {
    let message: ServerMessage;
    try {
      message = parseServerMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#lost(error.message);
      return;
    }
    switch (message.type) {
      case 'hello':
        this.#timer();
        this.#early = [];
        this.#replay = message.replay ? message.replay_bytes : 0;
        this.#draw((sink) => sink.reset());
        this.#step({ name: 'greeted', mode: message.mode });
        this.#tellSize();
        break;
      case 'size': {
        const { cols, rows } = message;
        this.#draw((sink) => sink.resized(cols, rows));
        break;
      }
      case 'exit':
        this.#finish({ name: 'exited', code: message.code });
        break;
      case 'notice':
      case 'lease':
        this.herald(message);
    }
  }

  #bytes(bytes: Uint8Array): void {
    const flow = this.#flow;
    flow.received(bytes.length);
    this.#draw((sink) =>
      sink.write(bytes, () => {
        if (this.#flow !== flow) return;
        this.#replay = Math.max(0, this.#replay - bytes.length);
        const due = flow.drawn(bytes.length);
        if (due > 0) this.#socket?.sendText(formatClientMessage({ type: 'ack', bytes: due }));
      }),
    );
  }

  /** Draws now, or as soon as there is a sink. What waits is bounded by the server's own limit of unacknowledged bytes. */
  #draw(draw: (sink: Sink) => void): void {
    if (this.#sink !== undefined) draw(this.#sink);
    else this.#early.push(() => this.#sink !== undefined && draw(this.#sink));
  }

  #tellSize(): void {
    const state = this.#state.value;
    if (state.name !== 'live' || state.mode === 'view' || this.#size === undefined) return;
    this.#socket?.sendText(formatClientMessage({ type: 'resize', ...this.#size }));
  }

  #lost(why: string): void {
    this.#drop();
    const state = this.#state.value;
    const attempt = 'attempt' in state ? state.attempt + 1 : 1;
    const wait = backoff(attempt, this.world.chance);
    this.#step({ name: 'lost', why, until: this.world.clock.now() + wait });
    this.#timer = this.world.clock.after(wait, () => this.#retry());
  }

  #retry(): void {
    this.#timer();
    this.#step({ name: 'opening' });
    void this.probe().then((answer) => {
      if (this.#state.value.name !== 'connecting') return;
      if (answer === 'gone') this.#finish({ name: 'gone' });
      else this.#open();
    });
  }

  #finish(event: LinkEvent): void {
    this.#drop();
    this.#step(event);
  }

  #drop(): void {
    this.#timer();
    this.#flow = new Flow();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #step(event: LinkEvent): void {
    this.#state.set(nextState(this.#state.value, event));
  }
}
