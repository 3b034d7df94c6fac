//! How long to wait before trying again: doubling, capped, with jitter, so that a thousand pages that lost one server do
//! not come back in the same instant.
import type { Chance } from './ports';

/** The first wait at most, in milliseconds: a blink of the network should cost no more. */
const FIRST = 400;
/** The longest wait, in milliseconds: a person watching gives up not much later. */
const CAP = 15_000;

/** Milliseconds before attempt number `attempt` (1 is the first retry): between half and all of the doubled wait. */
export function backoff(attempt: number, chance: Chance): number {
  const ceiling = Math.min(CAP, FIRST * 2 ** Math.min(attempt - 1, 16));
  return Math.round(ceiling * (0.5 + chance() / 2));
}
