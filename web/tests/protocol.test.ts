//! Promise: what the server says is understood or is a typed error; nothing half-understood gets through.
import { describe, expect, it } from 'vitest';
import { formatClientMessage, parseServerMessage, ProtocolError } from '../src/protocol/terminal';

describe('text frames from the server', () => {
  it.each([
    { type: 'hello', id: 'a', mode: 'view', cols: 80, rows: 24, replay: true, replay_bytes: 10, driven: true, seq: 99 },
    { type: 'people', people: [{ name: 'Guest 1', mode: 'view', drives: false, you: true }] },
    { type: 'recording', state: 'on', input: false },
    { type: 'exit', code: -1 },
    { type: 'notice', level: 'warning', text: 'the disk is full' },
    { type: 'size', cols: 132, rows: 50 },
    { type: 'taken', bytes: 7 },
    { type: 'lease', expires_at: '2030-01-01T00:00:00Z', remaining_seconds: 60, extensions_left: 1 },
  ])('are understood: $type', (message) => {
    expect(parseServerMessage(JSON.stringify(message))).toEqual(message);
  });

  it('may carry more than this page knows', () => {
    expect(parseServerMessage('{"type":"exit","code":0,"signal":"none"}')).toEqual({ type: 'exit', code: 0 });
  });

  it.each([
    ['no JSON', '{"type":'],
    ['no object', '[1,2]'],
    ['null', 'null'],
    ['no type', '{}'],
    ['an unknown type', '{"type":"dance"}'],
    ['a type of another kind', '{"type":7}'],
    ['a missing field', '{"type":"exit"}'],
    ['a field of another kind', '{"type":"exit","code":"0"}'],
    ['a broken number', '{"type":"size","cols":80.5,"rows":24}'],
    ['a list that is none', '{"type":"people","people":7}'],
    ['a negative size', '{"type":"size","cols":-1,"rows":24}'],
  ])('are a typed error: %s', (_what, text) => {
    expect(() => parseServerMessage(text)).toThrow(ProtocolError);
  });

  it('say in the error what was expected', () => {
    expect(() => parseServerMessage('{"type":"size","rows":24}')).toThrow('expected an integer in "cols" of size');
  });
});

it('writes text frames as the server reads them', () => {
  expect(formatClientMessage({ type: 'resize', cols: 80, rows: 24 })).toBe('{"type":"resize","cols":80,"rows":24}');
});
