//! Promise: addresses, tabs and keys lead where they say.
import { describe, expect, it } from 'vitest';
import { formatRoute, parseRoute } from '../src/model/routes';
import { activateTab, addTab, neighbour, plain, removeTab, retitleTab, tabLabel, type Tabs } from '../src/model/tabs';
import { arrow, keyCommand, platform, withControl, type Key } from '../src/terminal/keys';

describe('routes', () => {
  it.each([
    ['/', { name: 'home' }],
    ['/s/abc123', { name: 'session', id: 'abc123' }],
    ['/s/abc123/', { name: 'session', id: 'abc123' }],
    ['/s/a%2Fb', { name: 'session', id: 'a/b' }],
    ['/registry', { name: 'registry' }],
    ['/registry/x', { name: 'unknown', path: '/registry/x' }],
    ['/s', { name: 'unknown', path: '/s' }],
    ['/s/%zz', { name: 'unknown', path: '/s/%zz' }],
    ['/s/a/b', { name: 'unknown', path: '/s/a/b' }],
    ['/elsewhere', { name: 'unknown', path: '/elsewhere' }],
  ])('%s', (path, route) => expect(parseRoute(path)).toEqual(route));

  it('go there and back', () => {
    for (const id of ['x', 'a/b', 'ü %']) {
      expect(parseRoute(formatRoute({ name: 'session', id }))).toEqual({ name: 'session', id });
    }
  });
});

describe('tabs', () => {
  const three: Tabs<null> = ['a', 'b', 'c'].reduce<Tabs<null>>((tabs, id) => addTab(tabs, { id, content: null }), {
    all: [],
    active: '',
  });

  it('open in front', () => expect(three.active).toBe('c'));

  it('hand over to their neighbour when they close', () => {
    expect(removeTab(activateTab(three, 'b'), 'b').active).toBe('c');
    expect(removeTab(three, 'c').active).toBe('b');
    expect(removeTab(three, 'a').active).toBe('c');
    expect(['a', 'b', 'c'].reduce((tabs, id) => removeTab(tabs, id), three)).toEqual({ all: [], active: '' });
  });

  it('follow one another round the ends', () => {
    expect(neighbour(three, 1)).toBe('a');
    expect(neighbour(activateTab(three, 'a'), -1)).toBe('c');
    expect(neighbour({ all: [], active: '' }, 1)).toBe('');
  });

  it('are called what the visitor says, else what the program says, else by number', () => {
    const label = (tabs: Tabs<null>) => tabs.all.map((tab, index) => tabLabel(tab, index))[1];
    expect(label(three)).toBe('Terminal 2');
    const titled = retitleTab(three, 'b', { title: 'vim' });
    expect(label(titled)).toBe('vim');
    const named = retitleTab(titled, 'b', { name: 'editor' });
    expect(label(retitleTab(named, 'b', { title: 'less' }))).toBe('editor');
    expect(label(retitleTab(named, 'b', { name: ' ' }))).toBe('vim');
  });

  it('take no control characters, no turning marks and no endless text from a program', () => {
    expect(plain('a\x1b[31mb\u202Ec\u0007\n')).toBe('a[31mbc');
    expect(plain('é'.repeat(10_000)).length).toBe(40);
  });
});

describe('keys', () => {
  const press = (code: string, held = '', key = code.replace(/^(Key|Digit)/, '').toLowerCase()): Key => ({
    key,
    code,
    ctrlKey: held.includes('c'),
    shiftKey: held.includes('s'),
    altKey: held.includes('a'),
    metaKey: held.includes('m'),
  });

  it('leave the program what is its own', () => {
    for (const key of [
      press('KeyC', 'c'),
      press('KeyV', 'c'),
      press('Tab'),
      press('F6', '', 'F6'),
      press('KeyF', 'c'),
      press('Escape'),
    ]) {
      expect(keyCommand(key, 'other', 'some')).toBeUndefined();
    }
    expect(keyCommand(press('KeyC', 'c'), 'windows', 'none')).toBeUndefined();
    expect(keyCommand(press('Digit1', 'a', '¡'), 'mac', 'none')).toBeUndefined();
  });

  it('copy and paste as each system does', () => {
    expect(keyCommand(press('KeyC', 'cs'), 'other', 'some')).toEqual({ name: 'copy' });
    expect(keyCommand(press('KeyV', 'cs'), 'other', 'none')).toEqual({ name: 'browser' });
    expect(keyCommand(press('KeyC', 'c'), 'windows', 'some')).toEqual({ name: 'copy' });
    expect(keyCommand(press('KeyV', 'c'), 'windows', 'none')).toEqual({ name: 'browser' });
    expect(keyCommand(press('KeyC', 'm'), 'mac', 'some')).toEqual({ name: 'browser' });
  });

  it('have a way out of the terminal', () => {
    expect(keyCommand(press('F6', 'c', 'F6'), 'mac', 'none')).toEqual({ name: 'leave' });
    expect(keyCommand(press('Escape', 'cs'), 'other', 'none')).toEqual({ name: 'leave' });
  });

  it('reach every tab and the search', () => {
    expect(keyCommand(press('Digit3', 'a'), 'other', 'none')).toEqual({ name: 'pick-tab', index: 2 });
    expect(keyCommand(press('ArrowLeft', 'cs'), 'other', 'none')).toEqual({ name: 'step-tab', step: -1 });
    expect(keyCommand(press('KeyF', 'cs'), 'other', 'none')).toEqual({ name: 'search' });
    expect(keyCommand(press('KeyF', 'm'), 'mac', 'none')).toEqual({ name: 'search' });
  });

  it('change the size of the text on every keyboard', () => {
    expect(keyCommand(press('Equal', 'c', '='), 'other', 'none')).toEqual({ name: 'font', change: 'larger' });
    expect(keyCommand(press('Equal', 'cs', '+'), 'other', 'none')).toEqual({ name: 'font', change: 'larger' });
    expect(keyCommand(press('Minus', 'm', '-'), 'mac', 'none')).toEqual({ name: 'font', change: 'smaller' });
  });

  it('are told apart by system', () => {
    expect(platform('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)')).toBe('mac');
    expect(platform('Mozilla/5.0 (Windows NT 10.0; Win64; x64)')).toBe('windows');
    expect(platform('Mozilla/5.0 (X11; Linux x86_64)')).toBe('other');
  });

  it("of the phone's bar send what a keyboard would", () => {
    expect(arrow('up', 'normal')).toBe('\x1b[A');
    expect(arrow('left', 'application')).toBe('\x1bOD');
    expect(['c', 'C', '[', ' ', '?', 'é', 'ab'].map(withControl)).toEqual([
      '\x03',
      '\x03',
      '\x1b',
      '\x00',
      '\x7f',
      'é',
      'ab',
    ]);
  });
});
