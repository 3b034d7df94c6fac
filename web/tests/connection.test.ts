//! Promise: a broken connection comes back by itself, draws nothing twice, and ends only when there is nothing to come back to.
import { describe, expect, it } from 'vitest';
import { backoff } from '../src/model/backoff';
import { Link, nextState, type LinkState } from '../src/model/link';
import type { Sink } from '../src/model/sink';
import { handWorld } from './world';

class Paper implements Sink {
  text = '';
  sizes: string[] = [];
  waiting: (() => void)[] = [];

  reset(): void {
    this.text = '';
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.text += new TextDecoder().decode(bytes);
    this.waiting.push(done);
  }

  seat(): void {
    // One page alone drives.
  }
  resized(cols: number, rows: number): void {
    this.sizes.push(`${cols}x${rows}`);
  }

  drawAll(): void {
    for (const done of this.waiting.splice(0)) done();
  }
}

function connected(probe: () => Promise<'there' | 'gone'> = async () => 'there') {
  const hand = handWorld();
  const heard: unknown[] = [];
  const link = new Link(hand.world, '/terminal', probe, (message) => heard.push(message));
  const paper = new Paper();
  link.attach(paper);
  const socket = (index: number) => {
    const found = hand.sockets[index];
    if (found === undefined) throw new Error(`no socket number ${index} was opened`);
    return found;
  };
  return { ...hand, link, paper, heard, socket };
}

describe('waiting between attempts', () => {
  it('doubles from under half a second to a cap of 15 seconds', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => backoff(attempt, () => 1));
    expect(waits).toEqual([400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
  });

  it('spreads by jitter over the upper half of each wait', () => {
    expect(backoff(3, () => 0)).toBe(800);
    expect(backoff(3, () => 0.5)).toBe(1200);
  });
});

describe('the state machine', () => {
  const lost = { name: 'lost', why: 'cut', until: 5 } as const;

  it('counts attempts until it is greeted, then forgets them', () => {
    let state: LinkState = { name: 'connecting', attempt: 0 };
    for (const event of [lost, { name: 'opening' } as const, lost, { name: 'opening' } as const])
      state = nextState(state, event);
    expect(state).toEqual({ name: 'connecting', attempt: 2 });
    state = nextState(state, { name: 'greeted', mode: 'control' });
    expect(nextState(state, lost)).toEqual({ name: 'waiting', attempt: 1, until: 5, why: 'cut' });
  });

  it('stays closed whatever comes', () => {
    const closed: LinkState = { name: 'closed', why: { name: 'exited', code: 3 } };
    for (const event of [lost, { name: 'opening' } as const, { name: 'left' } as const])
      expect(nextState(closed, event)).toBe(closed);
  });
});

describe('a connection', () => {
  it('comes back after the network broke, and what it drew is there once', async () => {
    const { clock, link, paper, socket } = connected();
    socket(0).greet();
    socket(0).bytes('$ ls\r\n');
    socket(0).events.closed(1006, '');
    expect(link.state.value).toMatchObject({ name: 'waiting', attempt: 1 });
    await clock.pass(500);
    socket(1).greet({ replay: true, replay_bytes: 6 });
    socket(1).bytes('$ ls\r\n');
    expect(link.state.value.name).toBe('live');
    expect(paper.text).toBe('$ ls\r\n');
  });

  it('tries again without end, each time after a longer wait', async () => {
    const { clock, link, sockets } = connected();
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      sockets.at(-1)?.events.closed(1006, '');
      expect(link.state.value).toMatchObject({ name: 'waiting', attempt });
      await clock.pass('until' in link.state.value ? link.state.value.until - clock.now() : 0);
    }
    expect(sockets.length).toBe(13);
  });

  it('tries at once when nudged', async () => {
    const { clock, link, sockets, socket } = connected();
    socket(0).events.closed(1006, '');
    link.nudge();
    await clock.pass(0);
    expect(sockets.length).toBe(2);
    await clock.pass(2000);
    expect(sockets.length).toBe(2);
  });

  it('gives up a server that opens and never greets', async () => {
    const { clock, link, socket } = connected();
    socket(0).events.opened();
    await clock.pass(10_000);
    expect(link.state.value.name).not.toBe('live');
    expect(socket(0).closed).toBe(true);
  });

  it('hears nothing more from a socket that it has replaced', async () => {
    const { clock, paper, socket } = connected();
    socket(0).greet();
    socket(0).events.closed(1006, '');
    await clock.pass(500);
    socket(1).greet();
    socket(0).bytes('ghost');
    expect(paper.text).toBe('');
  });

  it('closes for good when the session is gone', async () => {
    const { clock, link, socket, sockets } = connected(async () => 'gone');
    socket(0).greet();
    socket(0).events.closed(1006, '');
    await clock.pass(500);
    expect(link.state.value).toEqual({ name: 'closed', why: { name: 'gone' } });
    await clock.pass(60_000);
    expect(sockets.length).toBe(1);
  });

  it('closes for good when the shell ends', () => {
    const { link, socket } = connected();
    socket(0).greet();
    socket(0).say({ type: 'exit', code: 130 });
    expect(link.state.value).toEqual({ name: 'closed', why: { name: 'exited', code: 130 } });
  });

  it('starts anew when the server says what is not in the protocol', () => {
    const { link, socket } = connected();
    socket(0).greet();
    socket(0).say({ type: 'party' });
    expect(link.state.value).toMatchObject({ name: 'waiting', why: expect.stringContaining('"party"') });
    expect(socket(0).closed).toBe(true);
  });

  it('keeps what comes before there is a terminal to draw on', () => {
    const hand = handWorld();
    const link = new Link(
      hand.world,
      '/terminal',
      async () => 'there',
      () => undefined,
    );
    hand.sockets[0]?.greet();
    hand.sockets[0]?.bytes('early ');
    const paper = new Paper();
    link.attach(paper);
    hand.sockets[0]?.bytes('and late');
    expect(paper.text).toBe('early and late');
  });

  it('tells its size once it is greeted, and again after each reconnect', async () => {
    const { clock, link, socket } = connected();
    link.resize(120, 40);
    expect(socket(0).texts).toEqual([]);
    socket(0).greet();
    link.resize(120, 40);
    link.resize(121, 40);
    socket(0).events.closed(1006, '');
    await clock.pass(500);
    socket(1).greet();
    expect(socket(0).texts.map((text) => JSON.parse(text).cols)).toEqual([120, 121]);
    expect(socket(1).texts.map((text) => JSON.parse(text).cols)).toEqual([121]);
  });

  it('sends typing in bounded frames, and refuses more than can be under way', () => {
    const { link, socket } = connected();
    socket(0).greet();
    expect(link.send(new Uint8Array(40_000))).toBe(true);
    expect(socket(0).sent.map((frame) => frame.length)).toEqual([16_384, 16_384, 7232]);
    expect(link.send(new Uint8Array(1024 * 1024))).toBe(false);
    socket(0).say({ type: 'taken', bytes: 40_000 });
    expect(link.send(new Uint8Array(1024 * 1024))).toBe(true);
  });

  it('answers no question out of a replay, but sends what is typed meanwhile', () => {
    const { link, paper, socket } = connected();
    socket(0).greet({ replay: true, replay_bytes: 4 });
    socket(0).bytes('\x1b[6n');
    link.report(encode('\x1b[1;1R'));
    expect(socket(0).sent).toEqual([]);
    link.send(encode('x'));
    paper.drawAll();
    link.report(encode('\x1b[1;1R'));
    expect(sent(socket(0))).toBe('x\x1b[1;1R');
  });

  it('passes notices and the lease on', () => {
    const { heard, socket } = connected();
    socket(0).greet();
    socket(0).say({ type: 'notice', level: 'info', text: 'soon over' });
    socket(0).say({ type: 'lease', expires_at: '2030-01-01T00:00:00Z', remaining_seconds: 60, extensions_left: 1 });
    expect(heard).toHaveLength(2);
  });
});

const encode = (text: string) => new TextEncoder().encode(text);
const sent = (socket: { sent: Uint8Array[] }) => socket.sent.map((bytes) => new TextDecoder().decode(bytes)).join('');

describe('what is typed', () => {
  it('while there is no connection is kept, told, and sent once it is back', async () => {
    const { clock, link, socket } = connected();
    socket(0).greet();
    socket(0).events.closed(1006, '');
    expect([link.send(encode('ls')), link.send(encode('\r'))]).toEqual([true, true]);
    link.report(encode('\x1b[I'));
    expect(link.kept.value).toBe(3);
    await clock.pass(500);
    socket(1).greet({ taken: 0 });
    expect(sent(socket(1))).toBe('ls\r');
    expect(link.kept.value).toBe(0);
  });

  it('and did not reach the server is sent again, what did is not', async () => {
    const { clock, link, socket } = connected();
    socket(0).greet();
    link.send(encode('abc'));
    socket(0).say({ type: 'taken', bytes: 3 });
    link.send(encode('defg'));
    socket(0).events.closed(1006, '');
    link.send(encode('h'));
    await clock.pass(500);
    expect(socket(1).path).toBe(socket(0).path);
    socket(1).greet({ taken: 5 });
    expect(sent(socket(1))).toBe('fgh');
    socket(1).say({ type: 'taken', bytes: 8 });
    socket(1).events.closed(1006, '');
    await clock.pass(500);
    socket(2).greet({ taken: 8 });
    expect(sent(socket(2))).toBe('');
  });

  it('just before the server was started again is not sent twice, and its loss is told', async () => {
    const { clock, heard, link, socket } = connected();
    socket(0).greet();
    link.send(encode('rm x\r'));
    socket(0).events.closed(1006, '');
    link.send(encode('y'));
    await clock.pass(500);
    socket(1).greet();
    expect(sent(socket(1))).toBe('y');
    expect(heard).toEqual([expect.objectContaining({ type: 'notice', text: expect.stringContaining('last moment') })]);
    socket(1).say({ type: 'taken', bytes: 1 });
    link.send(encode('z'));
    socket(1).events.closed(1006, '');
    await clock.pass(500);
    socket(2).greet({ taken: 2 });
    expect(sent(socket(2))).toBe('');
  });

  it('is refused beyond what is kept, and once the shell has ended', () => {
    const { heard, link, socket } = connected();
    expect(link.send(new Uint8Array(16 * 1024))).toBe(true);
    expect(link.send(new Uint8Array(1))).toBe(false);
    socket(0).greet();
    socket(0).events.closed(1006, '');
    expect(link.send(new Uint8Array(1))).toBe(false);
    socket(0).say({ type: 'exit', code: 0 });
    expect(heard).toEqual([]);
  });

  it('for a shell that had ended meanwhile is told to be lost', async () => {
    const { clock, heard, link, socket } = connected();
    socket(0).greet();
    socket(0).events.closed(1006, '');
    link.send(encode('ls\r'));
    await clock.pass(500);
    socket(1).greet({ taken: 0 });
    socket(1).say({ type: 'exit', code: 0 });
    expect(heard).toHaveLength(1);
    expect(link.kept.value).toBe(0);
    expect(link.send(encode('x'))).toBe(false);
  });

  it('and draws no answer shows that the network is dead', async () => {
    const { clock, link, socket } = connected();
    socket(0).greet();
    link.send(encode('x'));
    socket(0).bytes('x');
    await clock.pass(8000);
    expect(link.state.value.name).toBe('live');
    await clock.pass(8000);
    expect(socket(0).closed).toBe(true);
    expect(link.state.value.name).not.toBe('live');
  });
});

describe('acknowledging', () => {
  const acks = (texts: string[]) => texts.map((text) => JSON.parse(text)).filter((message) => message.type === 'ack');

  it('counts what was drawn, not what came', () => {
    const { paper, socket } = connected();
    socket(0).greet();
    socket(0).bytes('x'.repeat(1000));
    expect(acks(socket(0).texts)).toEqual([]);
    paper.drawAll();
    expect(acks(socket(0).texts)).toEqual([{ type: 'ack', bytes: 1000 }]);
  });

  it('saves small amounts up while more is on its way, and loses none', () => {
    const { paper, socket } = connected();
    socket(0).greet();
    for (let frame = 0; frame < 100; frame += 1) socket(0).bytes('y'.repeat(1000));
    paper.drawAll();
    const sent = acks(socket(0).texts);
    expect(sent.length).toBeLessThan(10);
    expect(sent.reduce((sum, message) => sum + message.bytes, 0)).toBe(100_000);
  });

  it('acknowledges nothing to a new connection that the old one sent', async () => {
    const { clock, paper, socket } = connected();
    socket(0).greet();
    socket(0).bytes('z'.repeat(50_000));
    socket(0).events.closed(1006, '');
    await clock.pass(500);
    socket(1).greet();
    paper.drawAll();
    expect(acks(socket(1).texts)).toEqual([]);
  });
});
