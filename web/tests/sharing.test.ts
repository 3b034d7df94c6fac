//! Promise: on a shared terminal one page gives the size and the answers, the others follow; and nothing is pasted, or put
//! on a clipboard, that its owner did not mean.
import { describe, expect, it } from 'vitest';
import { company } from '../src/model/company';
import { Link } from '../src/model/link';
import type { Seat } from '../src/model/sink';
import { groupFound, length, markersOf } from '../src/model/recordings';
import { formatRoute, parseRoute } from '../src/model/routes';
import { asksFirst, preview } from '../src/terminal/paste';
import { isAnswer, isReport } from '../src/terminal/reports';
import { handWorld } from './world';

async function linked() {
  const hand = handWorld();
  const drawn: string[] = [];
  const link = new Link(
    hand.world,
    '/t',
    async () => 'there',
    () => undefined,
  );
  link.attach({
    reset: () => void drawn.push('reset'),
    write: (bytes, done) => {
      drawn.push(new TextDecoder().decode(bytes));
      done();
    },
    resized: (cols, rows) => void drawn.push(`${cols}x${rows}`),
    seat: (seat: Seat) => void drawn.push(seat),
  });
  await hand.clock.pass(0);
  const socket = hand.sockets[0]!;
  const people = (...drives: ('you' | 'other' | 'nobody')[]) =>
    socket.say({
      type: 'people',
      people: [
        { name: 'Owner', mode: 'control', drives: drives.includes('you'), you: true },
        { name: 'Guest 1', mode: 'control', drives: drives.includes('other'), you: false },
      ],
    });
  return { ...hand, link, drawn, socket, people };
}

describe('a page on a shared terminal', () => {
  it('takes the size of who drives before it draws what they saw', async () => {
    const { drawn, socket, people, link } = await linked();
    socket.greet({ driven: true, cols: 132, rows: 50, replay: true, replay_bytes: 2 });
    socket.bytes('hi');
    expect(drawn).toEqual(['reset', 'passenger', '132x50', 'hi']);
    people('other');
    expect(link.seat.value).toBe('passenger');
    people('you');
    expect([link.seat.value, drawn.at(-1)]).toEqual(['driver', 'driver']);
  });

  it('asks for the seat, and answers programs, but not questions of long ago', async () => {
    const { socket, link } = await linked();
    socket.greet({ replay: true, replay_bytes: 4 });
    link.answer('\x1b[1;1R');
    expect(link.replaying).toBe(true);
    socket.bytes('past');
    link.answer('\x1b[2;2R');
    link.drive();
    const said = socket.texts.map((text) => JSON.parse(text) as { type: string; text?: string });
    expect(said.filter(({ type }) => type === 'answer')).toEqual([{ type: 'answer', text: '\x1b[2;2R' }]);
    expect(said.at(-1)).toEqual({ type: 'drive' });
  });

  it('says nothing while it looks on', async () => {
    const { socket, link } = await linked();
    socket.greet({ mode: 'view' });
    link.answer('\x1b[1;1R');
    link.drive();
    expect([socket.texts, socket.sent, link.seat.value]).toEqual([[], [], 'passenger']);
  });

  it('knows whether it is recorded, and by a new greeting that it is no longer', async () => {
    const { socket, link } = await linked();
    socket.greet();
    socket.say({ type: 'recording', state: 'on', input: false });
    expect(link.recorded.value).toEqual({ state: 'on', input: false });
    socket.greet();
    expect(link.recorded.value.state).toBe('off');
  });
});

it('lists each person once, whoever reads first', () => {
  const viewer = (name: string, extra = {}) => ({
    name,
    mode: 'control' as const,
    drives: false,
    you: false,
    ...extra,
  });
  const people = company([
    viewer('Guest 1', { mode: 'view' }),
    viewer('Owner', { you: true }),
    viewer('Owner', { drives: true }),
  ]);
  expect(people).toEqual([
    { name: 'Owner', you: true, drives: true, mode: 'control', windows: 2 },
    { name: 'Guest 1', you: false, drives: false, mode: 'view', windows: 1 },
  ]);
});

describe('pasting', () => {
  it.each(['ls', 'ls\n', 'ls\r\n', ''])('does not ask about one line: %j', (text) => {
    expect(asksFirst(text, 'off')).toBeUndefined();
  });

  it('asks about several, and says whether they would be run', () => {
    expect(asksFirst('a\nb', 'off')).toEqual({ text: 'a\nb', lines: 2, taken: 'run' });
    expect(asksFirst('a\rb\r\nc\n', 'on')).toMatchObject({ lines: 3, taken: 'held' });
  });

  it('shows what would hide', () => {
    expect(preview('ls\x1b[201~\u202e\nrm')).toBe('ls\ufffd[201~\ufffd\nrm');
    expect(preview('x\n'.repeat(50)).split('\n').at(-1)).toBe('… and 38 more');
  });
});

it('tells answers, which every page gives, from what somebody did', () => {
  for (const answer of [
    '\x1b[1;1R',
    '\x1b[?1;2c',
    '\x1b[>0;276;0c',
    '\x1b[0n',
    '\x1bP1$r0m\x1b\\',
    '\x1b]10;rgb:0/0/0\x07',
  ]) {
    expect([isAnswer(answer), isReport(answer)]).toEqual([true, true]);
  }
  for (const deed of ['\x1b[I', '\x1b[<0;1;1M', '\x1b[M !!'])
    expect([isAnswer(deed), isReport(deed)]).toEqual([false, true]);
  expect(isReport('\x1b[A')).toBe(false);
});

describe('recordings', () => {
  it('have addresses with a moment', () => {
    const route = { name: 'recording', session: 's1', terminal: 't1', at: 12.5 } as const;
    expect(formatRoute(route)).toBe('/recordings/s1/t1/12.5');
    expect(parseRoute('/recordings/s1/t1/12.5')).toEqual(route);
    expect(parseRoute('/recordings/s1/t1')).toEqual({ ...route, at: 0 });
    expect(parseRoute('/recordings')).toEqual({ name: 'recordings' });
    for (const path of ['/recordings/s1', '/recordings/s1/t1/x', '/recordings/s1/t1/-1']) {
      expect(parseRoute(path).name).toBe('unknown');
    }
    expect(parseRoute(`/s/${'0f'.repeat(32)}`)).toEqual({ name: 'link' });
  });

  it('have markers, and lines that are found by recording', () => {
    const cast =
      '{"version":3}\n[1.500, "o", "\\"m\\""]\n[0.500, "m", "step \\"1\\""]\n# a comment\n[3, "o", "x"]\n[1.0, "m", ""]\n';
    expect(markersOf(cast)).toEqual([
      { at: 2, label: 'step "1"' },
      { at: 6, label: '' },
    ]);
    const line = (terminal: string) => ({ session: 's', terminal, title: 'T', started_at: 'now', at: 1, text: 'x' });
    expect(groupFound([line('a'), line('b'), line('a')]).map(({ lines }) => lines.length)).toEqual([2, 1]);
    expect([length(5.9), length(754), length(3723)]).toEqual(['0:05', '12:34', '1:02:03']);
  });
});
