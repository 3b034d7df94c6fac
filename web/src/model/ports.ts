//! What the model needs from the world around it, as interfaces: time, chance, HTTP and sockets. The browser's own are in
//! `src/browser/`; tests hand in others. The model itself compiles without the DOM's types.
import type { Dispose } from './observable';

/** Time, in milliseconds since some moment. It only ever goes forward: a clock that is set does not move it. */
export interface Clock {
  now(): number;
  /** Runs `run` once after `milliseconds`. */
  after(milliseconds: number, run: () => void): Dispose;
}

/** A number from 0 to less than 1. */
export type Chance = () => number;

/** What a socket tells its owner. */
export interface SocketEvents {
  opened(): void;
  text(text: string): void;
  bytes(bytes: Uint8Array): void;
  /** The last event of a socket, also when it never opened. */
  closed(code: number, reason: string): void;
}

/** An open or opening WebSocket. */
export interface Socket {
  sendText(text: string): void;
  sendBytes(bytes: Uint8Array): void;
  /** Bytes accepted by `send…` that have not left yet. */
  readonly unsent: number;
  /** Closes without a further event. */
  close(): void;
}

/** Opens a WebSocket at a path of our own origin. */
export type OpenSocket = (path: string, events: SocketEvents) => Socket;

/** An HTTP answer: the body is parsed JSON, or `undefined` when it was none. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Seconds from `Retry-After`, when the server sent one. */
  readonly retryAfter: number | undefined;
}

/** Sends a request to a path of our own origin with the visitor's cookie. Rejects when no answer came. */
export type Http = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<Answer>;

/** What a stream of events tells its owner. */
export interface StreamEvents {
  /** An event's data, parsed JSON. */
  event(data: unknown): void;
  /** The last word of a stream: it broke, or is over. */
  ended(): void;
}

/** Opens a stream of server-sent events at a path of our own origin; the return value closes it without a further word. */
export type OpenStream = (path: string, name: string, events: StreamEvents) => Dispose;

/** All of it. */
export interface World {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly http: Http;
  readonly openSocket: OpenSocket;
  readonly openStream: OpenStream;
}
