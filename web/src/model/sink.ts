//! What draws a terminal, as its connection sees it: anything that takes bytes and sizes.

/** What draws a terminal. */
export interface Sink {
  /** Empties the terminal: what follows brings it to the present screen. */
  reset(): void;
  /** Draws bytes, then calls `done`. */
  write(bytes: Uint8Array, done: () => void): void;
  /** The program's size was set by somebody else. */
  resized(cols: number, rows: number): void;
  /** Whether the program has this terminal's size, or this terminal the program's. */
  seat(seat: Seat): void;
}

/** Who sets the size of what is shown: this page, or somebody else who is there. */
export type Seat = 'driver' | 'passenger';

/** Whether what is shown is written down. */
export interface Recorded {
  state: 'off' | 'on' | 'stopped';
  /** Whether what is typed is written down, too. */
  input: boolean;
}
