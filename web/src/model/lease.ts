//! The time a session has left: what the server said was left, carried on by a clock that only goes forward, and its words.
//! The time of day is nowhere in it, for a visitor's may be wrong. Knows no clock: the caller says what time it is.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What the server says is left. */
export interface Remaining {
  remaining_seconds: number;
  /** Until the session is ended because nobody types. */
  idle_remaining_seconds?: number | undefined;
}

/** How long a session lasts; times are those of the page's clock. */
export interface Lease {
  /** When the server said so. */
  at: number;
  endsAt: number;
  /** When it ends unless somebody types. */
  idleEndsAt: number | undefined;
  /** How often it may still be extended. */
  extensions: number;
}

/** What was left at `now`, as times of the same clock. */
export function leaseAt(now: number, left: Remaining, extensions: number): Lease {
  const idle = left.idle_remaining_seconds;
  return {
    at: now,
    endsAt: now + left.remaining_seconds * SECOND,
    idleEndsAt: idle === undefined ? undefined : now + idle * SECOND,
    extensions,
  };
}

/** How near the end is: what the page shows louder. */
export type Urgency = 'calm' | 'soon' | 'now';

/** Milliseconds left until `expiresAt`, never less than 0. */
export function timeLeft(expiresAt: number, now: number): number {
  return Math.max(0, expiresAt - now);
}

/** 5 minutes and 1 minute before the end are the two warnings. */
export function urgency(left: number): Urgency {
  if (left <= MINUTE) return 'now';
  return left <= 5 * MINUTE ? 'soon' : 'calm';
}

/** Short, as a clock: `1:05 h`, `12 min`, `4:09`. Seconds are shown only when they matter. */
export function leaseClock(left: number): string {
  if (left >= HOUR) {
    const minutes = Math.floor(left / MINUTE);
    return `${Math.floor(minutes / 60)}:${pad(minutes % 60)} h`;
  }
  if (left > 5 * MINUTE) return `${Math.ceil(left / MINUTE)} min`;
  const seconds = Math.ceil(left / SECOND);
  return `${Math.floor(seconds / 60)}:${pad(seconds % 60)}`;
}

/** In full, for those who listen: `1 hour 5 minutes left`. */
export function leaseWords(left: number): string {
  if (left <= 0) return 'no time left';
  if (left < MINUTE) return `${plural(Math.ceil(left / SECOND), 'second')} left`;
  const minutes = left >= HOUR ? Math.floor(left / MINUTE) : Math.ceil(left / MINUTE);
  const hours = Math.floor(minutes / 60);
  const words = [hours > 0 ? plural(hours, 'hour') : '', minutes % 60 > 0 ? plural(minutes % 60, 'minute') : ''];
  return `${words.filter((word) => word !== '').join(' ')} left`;
}

/** In full, how long the session waits for somebody to type. */
export function idleWords(left: number): string {
  return left <= 0
    ? 'the session ends, for nobody typed'
    : `ends in ${leaseWords(left).replace(/ left$/, '')} unless you type`;
}

/** Which of its two ends a session comes to first. */
export function nearestEnd(lease: Lease): 'total' | 'idle' {
  return lease.idleEndsAt !== undefined && lease.idleEndsAt < lease.endsAt ? 'idle' : 'total';
}

/** `1 minute`, `2 minutes`. */
export function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function pad(number: number): string {
  return String(number).padStart(2, '0');
}
