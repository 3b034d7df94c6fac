//! Promise: what the page says about time, use, errors and names is right and readable.
import { describe, expect, it } from 'vitest';
import { idleWords, leaseAt, leaseClock, leaseWords, nearestEnd, timeLeft, urgency } from '../src/model/lease';
import { bytes, cpuReading, memoryReading } from '../src/model/meters';
import { facts, lasting, seconds } from '../src/model/used';
import { endWords, problem, sentence } from '../src/model/problem';
import { parseSettings } from '../src/model/settings';

const MINUTE = 60_000;

describe('the time left', () => {
  it.each([
    [65 * MINUTE, '1:05 h', '1 hour 5 minutes left'],
    [2 * 60 * MINUTE, '2:00 h', '2 hours left'],
    [59 * MINUTE + 59_000, '60 min', '1 hour left'],
    [11.2 * MINUTE, '12 min', '12 minutes left'],
    [5 * MINUTE, '5:00', '5 minutes left'],
    [4 * MINUTE + 8_200, '4:09', '5 minutes left'],
    [59_000, '0:59', '59 seconds left'],
    [1, '0:01', '1 second left'],
    [0, '0:00', 'no time left'],
  ])('%d ms is %s', (left, clock, words) => {
    expect([leaseClock(left), leaseWords(left)]).toEqual([clock, words]);
  });

  it('is never negative', () => expect(timeLeft(1000, 5000)).toBe(0));

  it('grows urgent at five minutes and at one', () => {
    expect([6, 5, 1.01, 1, 0].map((minutes) => urgency(minutes * MINUTE))).toEqual([
      'calm',
      'soon',
      'soon',
      'now',
      'now',
    ]);
  });
});

describe('the lease', () => {
  it("is what the server says is left, on the page's own clock", () => {
    const lease = leaseAt(5000, { remaining_seconds: 60, idle_remaining_seconds: 30 }, 2);
    expect(lease).toEqual({ at: 5000, endsAt: 65_000, idleEndsAt: 35_000, extensions: 2 });
    expect(nearestEnd(lease)).toBe('idle');
    expect(nearestEnd(leaseAt(0, { remaining_seconds: 10, idle_remaining_seconds: 30 }, 0))).toBe('total');
    expect(nearestEnd(leaseAt(0, { remaining_seconds: 10 }, 0))).toBe('total');
  });

  it('says what to do about idleness', () => {
    expect(idleWords(5 * MINUTE)).toBe('ends in 5 minutes unless you type');
    expect(idleWords(0)).toBe('the session ends, for nobody typed');
  });
});

const NOTHING = {
  cpu_ns: 0,
  memory_peak_bytes: 0,
  disk_peak_bytes: 0,
  read_bytes: 0,
  written_bytes: 0,
  received_bytes: 0,
  sent_bytes: 0,
  wall_seconds: 0,
};

describe('what a session used', () => {
  it('is told in lines, the network only where there was one', () => {
    const used = {
      ...NOTHING,
      cpu_ns: 1.26e9,
      memory_peak_bytes: 30 * 1024 ** 2,
      disk_peak_bytes: 2048,
      wall_seconds: 3900,
    };
    expect(facts(used).map((fact) => `${fact.name}: ${fact.value}`)).toEqual([
      'Time: 1 hour 5 minutes',
      'Processor: 1.3 s',
      'Memory at most: 30 MB',
      'Disk at most: 2 KB',
    ]);
    expect(facts({ ...NOTHING, sent_bytes: 2048 }).at(-1)?.value).toBe('0 B received, 2 KB sent');
    expect([seconds(0.01), seconds(11.4), seconds(125), lasting(59), lasting(3600)]).toEqual([
      'under 0.1 s',
      '11 s',
      '2 min 5 s',
      '59 seconds',
      '1 hour',
    ]);
  });
});

describe('the meters', () => {
  const stats = {
    remaining_seconds: 3600,
    cpu_usage_ns: 0,
    cpus: 2,
    memory_bytes: 64 * 1024 ** 2,
    memory_limit_bytes: 256 * 1024 ** 2,
    pids: 3,
    pids_limit: 64,
    disk_bytes: 0,
    disk_limit_bytes: 1024 ** 3,
    used: { ...NOTHING },
    limits: [],
  };

  it('show the processor as a share of what the session may use', () => {
    const reading = cpuReading({ at: 0, stats }, { at: 2000, stats: { ...stats, cpu_usage_ns: 1e9 } });
    expect(reading).toEqual({ share: 0.25, text: '25 %', words: '25 % of 2 processors' });
  });

  it('never leave 0 to 100 %, also when counters start again or time stands still', () => {
    const late = { ...stats, cpu_usage_ns: 9e12 };
    expect(cpuReading({ at: 0, stats }, { at: 1000, stats: late }).share).toBe(1);
    expect(cpuReading({ at: 0, stats: late }, { at: 1000, stats }).share).toBe(0);
    expect(cpuReading({ at: 5, stats }, { at: 5, stats: late }).share).toBe(0);
  });

  it('show memory against its limit, or alone without one', () => {
    expect(memoryReading(stats)).toEqual({ share: 0.25, text: '64 MB', words: '64 MB of 256 MB' });
    expect(memoryReading({ ...stats, memory_limit_bytes: 0 })).toEqual({ share: 0, text: '64 MB', words: '64 MB' });
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 KB'],
    [1024 ** 2 * 1.26, '1.3 MB'],
    [1024 ** 3, '1 GB'],
  ])('write %d bytes as %s', (count, text) => expect(bytes(count)).toBe(text));
});

describe('errors', () => {
  it("keep the server's own words, as sentences", () => {
    const body = { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'the image is not in the catalogue' };
    expect(problem({ status: 403, body, retryAfter: undefined }).detail).toBe('The image is not in the catalogue.');
  });

  it('have words also when the answer has none, and say when to come back', () => {
    const told = problem({ status: 503, body: '<html>', retryAfter: 7 });
    expect(told.retryAfter).toBe(7);
    expect(told.title).not.toBe('');
    expect(told.detail).not.toBe('');
  });

  it('leave finished sentences alone', () => expect(sentence('Why?')).toBe('Why?'));

  it('give every end its reason', () => {
    expect(endWords('idle', undefined)).toMatch(/typed/);
    expect(endWords('failed', 'no space left on device')).toBe('No space left on device.');
  });
});

describe('settings', () => {
  it.each([null, '', '{', '[]', '7', '{"theme":"pink","fontSize":"big","screenReader":1}'])(
    'survive %j in storage',
    (stored) => {
      expect(parseSettings(stored)).toEqual({ theme: 'system', fontSize: 14, screenReader: 'off' });
    },
  );

  it('keep the font size within reason', () => {
    expect(parseSettings('{"fontSize":4000}').fontSize).toBe(32);
    expect(parseSettings('{"theme":"dark","fontSize":1,"screenReader":"on"}')).toEqual({
      theme: 'dark',
      fontSize: 9,
      screenReader: 'on',
    });
  });
});
