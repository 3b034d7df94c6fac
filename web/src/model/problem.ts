//! What went wrong, in words for a visitor: a title, what to do, and whether trying again makes sense. Problems come from
//! the server as `application/problem+json` (RFC 9457) or from the network as silence.
import type { EndReason } from '../protocol/generated';
import type { Answer } from './ports';

/** Something went wrong. */
export interface Problem {
  /** The HTTP status, or 0 when no answer came. */
  status: number;
  title: string;
  detail: string;
  /** Seconds after which trying again makes sense, when the server said so. */
  retryAfter?: number;
}

/** No answer came. */
export const UNREACHABLE: Problem = {
  status: 0,
  title: 'The playground does not answer',
  detail: 'The network may be down, or the server is being started again. Nothing of yours is lost by waiting.',
};

const TITLES: Readonly<Record<number, string>> = {
  401: 'This needs somebody the playground knows',
  403: 'This session belongs to somebody else',
  404: 'There is no such session',
  409: 'That does not go together with what is going on',
  410: 'This session has ended',
  429: 'Not so many at once',
  503: 'The playground is not ready',
};

/** Reads an answer that is not a success. */
export function problem(answer: Answer): Problem {
  const body = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as Record<string, unknown>;
  const text = (name: string) => (typeof body[name] === 'string' && body[name] !== '' ? body[name] : undefined);
  return {
    status: answer.status,
    title: TITLES[answer.status] ?? text('title') ?? 'Something went wrong in the playground',
    detail: sentence(text('detail') ?? text('title') ?? `The server answered ${answer.status} without a word.`),
    ...(answer.retryAfter === undefined ? {} : { retryAfter: answer.retryAfter }),
  };
}

/** The server's messages are lower-case fragments; a page speaks in sentences. */
export function sentence(fragment: string): string {
  const text = fragment.trim();
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

const ENDS: Readonly<Record<EndReason | 'unknown', string>> = {
  closed: 'You ended it.',
  idle: 'Nobody typed for a long while, so its place went to somebody else.',
  expired: 'Its time was up.',
  abandoned: 'It left the queue, because nobody was waiting for it any more.',
  failed: 'It could not be started.',
  gone: 'Its machine stopped, or was taken away from outside.',
  unknown: 'Its time was up, or somebody ended it.',
};

/** Why a session is over, in a sentence; the server's own words win. */
export function endWords(reason: EndReason | 'unknown', message: string | undefined): string {
  return message === undefined || message.trim() === '' ? ENDS[reason] : sentence(message);
}
