//! Promise: the tree and the editor show what is in the session, nothing that was typed is overwritten unasked, and names
//! may be any bytes.
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/model/api';
import { LARGEST } from '../src/model/document';
import type { Expected, FileCalls } from '../src/model/file-calls';
import { Files, rows } from '../src/model/files';
import { encodeName, isWithin, joinPath, nameOf, parentOf, shownName, shownSize } from '../src/model/names';
import { handWorld } from './world';

function failure(status: number, detail: string): Failure {
  return new Failure({ status, title: '', detail });
}

/** A disk in memory: an ordinary implementation of the calls. */
class Disk implements FileCalls {
  readonly files = new Map<string, string>();
  readonly directories = new Set(['/', '/root']);
  readonly sent: string[] = [];

  tag(path: string): string {
    return `tag of ${this.files.get(path)}`;
  }

  async list(path: string) {
    if (!this.directories.has(path)) throw failure(404, 'there is no such directory');
    const below = (one: string) => one !== '/' && parentOf(one) === path;
    const entry = (one: string, kind: 'file' | 'directory') => ({
      name: nameOf(one),
      kind,
      size: 1,
      changed: 0,
      mode: 0o644,
      tag: this.tag(one),
    });
    const directories = [...this.directories].filter(below).map((one) => entry(one, 'directory'));
    const files = [...this.files.keys()].filter(below).map((one) => entry(one, 'file'));
    return { entries: [...files, ...directories], truncated: false, upload_limit: 10 };
  }

  async read(path: string) {
    const text = this.files.get(path);
    if (text === undefined) throw failure(404, 'there is no such file');
    return { text: text === 'BINARY' ? undefined : text, tag: this.tag(path) };
  }

  async write(path: string, text: string, expected: Expected) {
    const there = this.files.has(path);
    const kept =
      expected.name === 'any' || (expected.name === 'absent' ? !there : there && this.tag(path) === expected.tag);
    if (!kept) throw failure(412, 'changed meanwhile');
    this.files.set(path, text);
    return this.tag(path);
  }

  async upload(path: string, payload: { size: number }, expected: Expected, progress: (sent: number) => void) {
    progress(payload.size);
    await this.write(path, `${payload.size} bytes`, expected);
    this.sent.push(path);
  }

  async makeDirectory(path: string) {
    if (this.directories.has(path)) throw failure(409, 'there already');
    this.directories.add(path);
  }

  async remove(path: string) {
    this.files.delete(path);
    this.directories.delete(path);
  }

  async rename(path: string, to: string) {
    this.files.set(to, this.files.get(path) ?? '');
    this.files.delete(path);
  }
}

async function opened() {
  const disk = new Disk();
  disk.files.set('/root/note', 'one');
  const hand = handWorld();
  const files = new Files(hand.world, disk, '/changes');
  files.begin();
  const change = async (directory: string, names: string[] = []) => {
    hand.streams.at(-1)?.events.event({ directory, names });
    await hand.clock.pass(0);
  };
  await change('/');
  await change('/root');
  return { ...hand, disk, files, change };
}

const paths = (files: Files) => rows(files.tree.value).map((row) => row.path);

describe('the tree', () => {
  it('shows what the stream tells, folders first', async () => {
    const { files, disk, change, streams } = await opened();
    expect(streams.at(-1)?.path).toBe('/changes?directory=/&directory=/root');
    expect(paths(files)).toEqual(['/root', '/root/note']);
    disk.directories.add('/root/zoo');
    await change('/root', ['zoo']);
    expect(paths(files)).toEqual(['/root', '/root/zoo', '/root/note']);
    files.open('/root/zoo');
    expect(streams.at(-1)?.path).toContain('directory=/root/zoo');
    expect(streams.filter((stream) => !stream.closed)).toHaveLength(1);
  });

  it('closes a folder that is gone, and is looked at also without a stream', async () => {
    const { files, disk, clock, change, streams } = await opened();
    disk.directories.delete('/root');
    await change('/root');
    expect(files.tree.value['/root']).toBeUndefined();
    disk.files.set('/late', '');
    streams.at(-1)?.events.ended();
    await clock.pass(3000);
    expect(streams.at(-1)?.closed).toBe(false);
    streams.at(-1)?.events.ended();
    await clock.pass(0);
    expect(paths(files)).toContain('/late');
  });

  it('tells why something was not done', async () => {
    const { files } = await opened();
    expect(await files.makeFile('/root', 'note')).toBe(false);
    expect(files.problem.value).toMatch(/already/);
    expect(await files.makeFile('/root', 'other')).toBe(true);
    expect(files.problem.value).toBeUndefined();
  });
});

describe('the editor', () => {
  it('takes what the shell wrote while nothing was typed', async () => {
    const { files, disk, change } = await opened();
    await files.editing.open('/root/note', 3);
    disk.files.set('/root/note', 'two');
    await change('/root', ['note']);
    expect(files.editing.doc.value).toMatchObject({ loaded: { text: 'two' }, edited: 'no', conflict: 'none' });
  });

  it('asks when both wrote, and overwrites only when told to', async () => {
    const { files, disk, change } = await opened();
    await files.editing.open('/root/note', 3);
    files.editing.edit();
    disk.files.set('/root/note', 'theirs');
    await files.editing.save('mine', 'unchanged');
    expect(files.editing.doc.value).toMatchObject({ edited: 'yes', conflict: 'changed' });
    await change('/root', ['note']);
    expect(disk.files.get('/root/note')).toBe('theirs');
    await files.editing.save('mine', 'anyway');
    expect(disk.files.get('/root/note')).toBe('mine');
    expect(files.editing.doc.value).toMatchObject({ edited: 'no', conflict: 'none' });
    await change('/root', ['note']);
    expect(files.editing.doc.value).toMatchObject({ conflict: 'none' });
    disk.files.delete('/root/note');
    await change('/root', ['note']);
    expect(files.editing.doc.value).toMatchObject({ conflict: 'gone' });
  });

  it('says what it does not show', async () => {
    const { files, disk } = await opened();
    await files.editing.open('/root/note', LARGEST + 1);
    expect(files.editing.doc.value).toMatchObject({ name: 'unshown' });
    disk.files.set('/root/note', 'BINARY');
    await files.editing.open('/root/note', 3);
    expect(files.editing.doc.value).toMatchObject({ name: 'unshown' });
  });
});

describe('uploads', () => {
  it('are sent in turn; what is too large or there already is told', async () => {
    const { files, disk, clock } = await opened();
    files.upload('/root', [
      { path: 'top/a', payload: { size: 1 } },
      { path: 'top/empty', payload: undefined },
      { path: 'note', payload: { size: 2 } },
      { path: 'large', payload: { size: 11 } },
    ]);
    await clock.pass(0);
    expect(disk.sent).toEqual(['/root/top/a']);
    expect(disk.directories.has('/root/top/empty')).toBe(true);
    const [note, large] = files.uploads.all.value;
    expect(note?.state.name).toBe('exists');
    expect(large?.state).toMatchObject({ name: 'failed' });
    files.uploads.replace(note?.id ?? 0);
    await clock.pass(0);
    expect(disk.files.get('/root/note')).toBe('2 bytes');
    files.uploads.dismiss(large?.id ?? 0);
    expect(files.uploads.all.value).toEqual([]);
  });
});

describe('names', () => {
  it('are spelled as the server spells them, and shown as people can read them', () => {
    expect(encodeName("a b'(ü)")).toBe('a%20b%27%28%C3%BC%29');
    expect(shownName('a%20%C3%BC%0A%FFb')).toBe('a ü␊\ufffdb');
    expect(shownName('%E2%80%AEexe.txt')).toBe('\ufffdexe.txt');
    expect([parentOf('/a'), parentOf('/a/b'), nameOf('/a/b'), joinPath('/', 'a'), joinPath('/a', 'b')]).toEqual([
      '/',
      '/a',
      'b',
      '/a',
      '/a/b',
    ]);
    expect([isWithin('/ab', '/a'), isWithin('/a/b', '/a'), isWithin('/a', '/a')]).toEqual([false, true, true]);
    expect([shownSize(5), shownSize(1536), shownSize(200 * 1024 * 1024)]).toEqual(['5 bytes', '1.5 KiB', '200 MiB']);
  });
});
