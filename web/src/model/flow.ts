//! Flow control: the server sends a bounded number of bytes ahead; the page says how many it has drawn. Nothing here
//! knows the socket.

/** Drawn bytes that are worth a message of their own: an eighth of what the server keeps in flight. */
const QUANTUM = 16 * 1024;

/** Counts bytes that came and bytes that were drawn, on one connection. */
export class Flow {
  #received = 0;
  #drawn = 0;
  #reported = 0;

  /** Bytes that came but are not drawn yet. */
  get pending(): number {
    return this.#received - this.#drawn;
  }

  /** `bytes` came in a frame. */
  received(bytes: number): void {
    this.#received += bytes;
  }

  /**
   * `bytes` were drawn. Returns how many to acknowledge now, or 0: small amounts are saved up until a quantum is full or
   * nothing is left to draw.
   */
  drawn(bytes: number): number {
    this.#drawn += bytes;
    const due = this.#drawn - this.#reported;
    if (due < QUANTUM && this.pending > 0) return 0;
    this.#reported = this.#drawn;
    return due;
  }
}
