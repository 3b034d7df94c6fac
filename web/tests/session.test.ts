//! Promise: a session that waits is followed without asking, and its time left does not depend on the visitor's clock.
import { describe, expect, it } from 'vitest';
import { Api } from '../src/model/api';
import { Session } from '../src/model/session';
import { isReport } from '../src/terminal/reports';
import { answer, handWorld } from './world';

const info = (state: string, extra: Record<string, unknown> = {}) => ({
  id: 's1',
  access: 'owner',
  url: '/s/s1',
  image: 'starter',
  title: 'Starter',
  nested: false,
  state,
  terminals: state === 'running' ? [{ id: 't1' }] : [],
  created_at: '2030-01-01T00:00:00Z',
  expires_at: '2030-01-01T01:00:00Z',
  remaining_seconds: 3600,
  extensions_left: 2,
  ...extra,
});

function waiting(position = 2) {
  const hand = handWorld({ 'GET /api/v1/sessions/s1': () => answer(200, info('queued', { position })) });
  const session = new Session(hand.world, new Api(hand.world.http), 's1');
  const say = (state: string, extra = {}) => hand.streams.at(-1)?.events.event(info(state, extra));
  return { ...hand, session, say };
}

describe('a session that waits', () => {
  it('is followed by one stream, from the queue to its terminal', async () => {
    const { clock, requests, say, session, sockets, streams } = waiting();
    await clock.pass(0);
    expect(session.phase.value).toEqual({ name: 'queued', position: 2 });
    say('queued', { position: 1 });
    expect(session.phase.value).toEqual({ name: 'queued', position: 1 });
    say('starting');
    say('running');
    expect(session.phase.value).toEqual({ name: 'running' });
    expect(sockets.map((socket) => socket.path.split('?')[0])).toEqual(['/api/v1/sessions/s1/terminals/t1']);
    sockets[0]?.greet();
    await clock.pass(60_000);
    expect(requests).toHaveLength(1);
    expect(streams.map((stream) => stream.closed)).toEqual([true]);
  });

  it('asks again when its stream breaks, and follows the next one', async () => {
    const { clock, requests, say, session, streams } = waiting();
    await clock.pass(0);
    streams[0]?.events.ended();
    await clock.pass(1000);
    expect(requests).toHaveLength(2);
    expect(streams).toHaveLength(2);
    say('ended', { reason: 'abandoned' });
    expect(session.phase.value).toMatchObject({ name: 'ended', reason: 'abandoned' });
    expect(streams[1]?.closed).toBe(true);
  });

  it('lets go of the stream when the page leaves', async () => {
    const { clock, session, streams } = waiting();
    await clock.pass(0);
    session.leave();
    expect(streams[0]?.closed).toBe(true);
  });
});

describe('the time left', () => {
  it('is counted from what the server says, whatever the time of day is', async () => {
    const { clock, say, session, sockets } = waiting();
    await clock.pass(0);
    say('running', { idle_remaining_seconds: 1800, expires_at: '1999-01-01T00:00:00Z' });
    const left = () => (session.lease.value?.endsAt ?? 0) - clock.now();
    expect([left(), session.lease.value?.extensions]).toEqual([3_600_000, 2]);
    await clock.pass(5000);
    expect(left()).toBe(3_595_000);
    sockets[0]?.greet();
    sockets[0]?.say({ type: 'lease', expires_at: '1999-01-01T00:00:00Z', remaining_seconds: 7200, extensions_left: 1 });
    expect([left(), session.lease.value?.extensions]).toEqual([7_200_000, 1]);
    expect((session.lease.value?.idleEndsAt ?? 0) - clock.now()).toBe(1_795_000);
  });
});

describe('what a terminal sends', () => {
  it('is told apart: answers, mouse and focus are not typed', () => {
    for (const report of [
      '\x1b[I',
      '\x1b[O',
      '\x1b[<0;3;4M',
      '\x1b[24;80R',
      '\x1b[?1;2c',
      '\x1b[0n',
      '\x1b]10;rgb:0/0/0\x07',
    ])
      expect(isReport(report), JSON.stringify(report)).toBe(true);
    for (const typed of [
      'a',
      '\r',
      '\x1b',
      '\x1b[A',
      '\x1bOP',
      '\x1b[3~',
      '\x1b[200~a\x1b[201~',
      '\x03',
      '\x1b[1;5C',
      '\x1bb',
    ])
      expect(isReport(typed), JSON.stringify(typed)).toBe(false);
  });
});
