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
import type { Onlooker, ServerMessage, TerminalMode } from '../protocol/generated';
import { formatClientMessage, parseServerMessage, ProtocolError } from '../protocol/terminal';
import { backoff } from './backoff';
import { Flow } from './flow';
import { Observable, type Dispose, type Readable } from './observable';
import type { Socket, World } from './ports';
import type { Recorded, Seat, Sink } from './sink';
import { SENT_LIMIT, Typed, WAITING_LIMIT } from './typed';

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

/** Told to the session: messages that concern more than this terminal, and words of the connection's own. */
export type Herald = (message: Extract<ServerMessage, { type: 'notice' | 'lease' }>) => void;

/** Whether a terminal is still there to be connected to; asked before each further attempt. */
export type Probe = () => Promise<'there' | 'gone'>;

/** The largest frame sent, in bytes. */
const FRAME = 16 * 1024;
/** A connection that has not been greeted after this many milliseconds is given up. */
const GREETING = 10_000;
/** A live connection on which nothing is heard for so many milliseconds after something was typed is dead. */
const SILENCE = 8_000;
/** Digits of the name by which the server knows this page's typing again. */
const NAME = 16;

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
  readonly #typed = new Typed();
  readonly #kept = new Observable(0);
  readonly #people = new Observable<readonly Onlooker[]>([]);
  readonly #recorded = new Observable<Recorded>({ state: 'off', input: false });
  readonly #seat = new Observable<Seat>('driver');
  readonly #name: string;
  #greeted = false;
  /** Whether what was kept while there was no connection is on its way. */
  #resent = false;
  #silence: Dispose = () => undefined;
  /** Frames that came. */
  #heard = 0;

  /** Starts connecting at once. */
  constructor(
    private readonly world: World,
    private readonly path: string,
    private readonly probe: Probe,
    private readonly herald: Herald,
  ) {
    const digit = () => Math.floor(world.chance() * 16).toString(16);
    this.#name = Array.from({ length: NAME }, digit).join('');
    this.#open();
  }

  get state(): Readable<LinkState> {
    return this.#state;
  }

  /** Who looks at this terminal, this page included. */
  get people(): Readable<readonly Onlooker[]> {
    return this.#people;
  }

  get recorded(): Readable<Recorded> {
    return this.#recorded;
  }

  get seat(): Readable<Seat> {
    return this.#seat;
  }

  /** Whether what is drawn now was printed before this page came. */
  get replaying(): boolean {
    return this.#replay > 0;
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

  /** Bytes that were typed and wait for the connection to come back. */
  get kept(): Readable<number> {
    return this.#kept;
  }

  /**
   * Sends what was typed, now or as soon as the connection is back. Returns false when it was refused: the terminal is
   * closed or only watched, or more waits than is kept.
   */
  send(bytes: Uint8Array): boolean {
    const state = this.#state.value;
    if (state.name === 'closed' || (state.name === 'live' && state.mode === 'view')) return false;
    if (!this.#typed.add(bytes, state.name === 'live' ? SENT_LIMIT : WAITING_LIMIT)) return false;
    this.#flush();
    return true;
  }

  /**
   * Sends what the terminal itself says: the mouse, the focus. It is dropped when it cannot be sent at once, and while a
   * replay is drawn: programs' questions in it were answered long ago.
   */
  report(bytes: Uint8Array): void {
    if (this.#speaks()) this.send(bytes);
  }

  /** Sends what the terminal answered to a program's question; of several pages' answers the server takes one. */
  answer(text: string): void {
    if (this.#speaks()) this.#socket?.sendText(formatClientMessage({ type: 'answer', text }));
  }

  /** The program shall have this page's size. */
  drive(): void {
    if (this.#speaks()) this.#socket?.sendText(formatClientMessage({ type: 'drive' }));
  }

  #speaks(): boolean {
    const state = this.#state.value;
    return this.#replay === 0 && state.name === 'live' && state.mode === 'control';
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
    const heard = (run: () => void) => () => {
      if (this.#flow !== flow) return;
      this.#heard += 1;
      run();
    };
    this.#timer();
    this.#timer = this.world.clock.after(GREETING, () => this.#lost('the server did not greet'));
    this.#socket = this.world.openSocket(`${this.path}?page=${this.#name}`, {
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
      case 'taken':
        this.#typed.confirm(message.bytes);
        this.#resent &&= this.#typed.underWay > 0;
        break;
      case 'hello':
        this.#timer();
        this.#early = [];
        this.#replay = message.replay ? message.replay_bytes : 0;
        this.#draw((sink) => sink.reset());
        this.#sit(message.driven || message.mode === 'view' ? 'passenger' : 'driver', message);
        this.#recorded.set({ state: 'off', input: false });
        this.#step({ name: 'greeted', mode: message.mode });
        this.#tellSize();
        this.#sendAgain(message.taken);
        break;
      case 'size': {
        const { cols, rows } = message;
        this.#draw((sink) => sink.resized(cols, rows));
        break;
      }
      case 'people':
        this.#people.set(message.people);
        this.#seated(message.people);
        break;
      case 'recording':
        this.#recorded.set({ state: message.state, input: message.input });
        break;
      case 'exit':
        this.#finish({ name: 'exited', code: message.code });
        break;
      case 'notice':
      case 'lease':
        this.herald(message);
    }
  }

  /** Nobody drives: then whoever may gives the size. */
  #seated(people: readonly Onlooker[]): void {
    const you = people.find((person) => person.you);
    if (you === undefined) return;
    const driven = you.mode === 'view' || people.some((person) => person.drives && !person.you);
    this.#sit(driven ? 'passenger' : 'driver');
  }

  #sit(seat: Seat, size?: { cols: number; rows: number }): void {
    this.#seat.set(seat);
    this.#draw((sink) => {
      sink.seat(seat);
      if (seat === 'passenger' && size !== undefined) sink.resized(size.cols, size.rows);
    });
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

  /** After the greeting: what was typed meanwhile, and what the last connection did not bring to the server. */
  #sendAgain(taken: number | undefined): void {
    const unknown = this.#typed.reconnected(taken);
    if (unknown > 0 && this.#greeted) {
      this.#say('the server was started again: what you typed in the last moment may not have arrived');
    }
    this.#greeted = true;
    this.#resent = this.#typed.waiting > 0;
    this.#flush();
  }

  #flush(): void {
    const state = this.#state.value;
    if (state.name === 'live' && state.mode === 'control') {
      const due = this.#typed.take();
      for (let at = 0; at < due.length; at += FRAME) this.#socket?.sendBytes(due.subarray(at, at + FRAME));
      if (due.length > 0) this.#listen();
    }
    this.#kept.set(this.#typed.waiting);
  }

  /** A network can die without a word: then nothing comes back for what is typed. */
  #listen(): void {
    this.#silence();
    const heard = this.#heard;
    this.#silence = this.world.clock.after(SILENCE, () => {
      if (this.#typed.underWay === 0) return;
      if (this.#heard !== heard) return this.#listen();
      if (this.#state.value.name === 'live') this.#lost('the network does not answer');
    });
  }

  #say(text: string): void {
    this.herald({ type: 'notice', level: 'warning', text });
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
    const lost = event.name !== 'left' && (this.#typed.waiting > 0 || this.#resent);
    this.#step(event);
    if (!lost) return;
    this.#kept.set(0);
    this.#say('the shell had ended: what you typed meanwhile was not sent');
  }

  #drop(): void {
    this.#timer();
    this.#silence();
    this.#flow = new Flow();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #step(event: LinkEvent): void {
    this.#state.set(nextState(this.#state.value, event));
  }
}
