//! What was typed and is not yet known to have arrived: kept, bounded, so that a broken connection loses nothing of it.
//! The server counts what it takes of each page and tells the count; after a reconnect the rest is sent again. Knows no
//! socket.
//!
//! ```text
//!   confirmed          sent              all
//!   ────┼───────────────┼─────────────────┼──▶
//!       └─ may be lost ─┘└─ not sent yet ─┘
//! ```

/** Bytes that may wait while there is no connection: some lines, not a file. */
export const WAITING_LIMIT = 16 * 1024;
/** Bytes that may be under way on a connection that is live: the largest paste. */
export const SENT_LIMIT = 1024 * 1024;

/** See the module. */
export class Typed {
  #kept: Uint8Array[] = [];
  /** Positions in the stream of all that was typed, in bytes. */
  #confirmed = 0;
  #sent = 0;
  #all = 0;
  /** Where the server's count began. */
  #base = 0;

  /** Bytes that were not sent yet. */
  get waiting(): number {
    return this.#all - this.#sent;
  }

  /** Bytes that were sent and are not confirmed. */
  get underWay(): number {
    return this.#sent - this.#confirmed;
  }

  /** Keeps what was typed; `false`: there is no room, and nothing of it was kept. */
  add(bytes: Uint8Array, limit: number): boolean {
    if (this.#all - this.#confirmed + bytes.length > limit) return false;
    this.#kept.push(bytes.slice());
    this.#all += bytes.length;
    return true;
  }

  /** What is to be sent now; it counts as sent from here on. */
  take(): Uint8Array {
    const due = this.#slice(this.#sent);
    this.#sent = this.#all;
    return due;
  }

  /** The server has taken so many bytes in all. */
  confirm(taken: number): void {
    const confirmed = Math.min(this.#sent, Math.max(this.#confirmed, this.#base + taken));
    let drop = confirmed - this.#confirmed;
    this.#confirmed = confirmed;
    while (drop > 0 && this.#kept[0] !== undefined) {
      const first = this.#kept[0];
      if (first.length > drop) this.#kept[0] = first.subarray(drop);
      else this.#kept.shift();
      drop -= Math.min(drop, first.length);
    }
  }

  /**
   * A new connection: `taken` is the server's count, or `undefined` when it has none, for it was started again. What was
   * sent and not taken is sent once more. Without a count it is given up, and how many bytes that were is returned: sent
   * again, they might run twice.
   */
  reconnected(taken: number | undefined): number {
    if (taken !== undefined) {
      this.confirm(taken);
      this.#sent = this.#confirmed;
      return 0;
    }
    const unknown = this.underWay;
    this.confirm(this.#sent - this.#base);
    this.#base = this.#sent;
    return unknown;
  }

  #slice(from: number): Uint8Array {
    const joined = new Uint8Array(this.#all - this.#confirmed);
    let at = 0;
    for (const bytes of this.#kept) {
      joined.set(bytes, at);
      at += bytes.length;
    }
    return joined.subarray(from - this.#confirmed);
  }
}
