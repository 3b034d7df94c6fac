//! The file that is edited: loaded, saved, and compared with what the shell makes of it meanwhile. The text that is being
//! typed is the editor's; this knows what was loaded and whether it is still so.
import { Failure } from './api';
import type { FileCalls } from './file-calls';
import { nameOf, shownName, shownSize } from './names';
import { Observable, type Readable } from './observable';
import { UNREACHABLE } from './problem';

/** Larger files are not edited in the page. */
export const LARGEST = 2 * 1024 * 1024;

/** How the file differs from what was loaded. */
export type Conflict = 'none' | 'changed' | 'gone';

/** What the editor shows. */
export type Doc =
  | { name: 'none' }
  | { name: 'loading'; path: string }
  | { name: 'unshown'; path: string; words: string }
  | {
      name: 'open';
      path: string;
      tag: string;
      /** What was loaded last; another object after each loading. */
      loaded: { readonly text: string };
      edited: 'no' | 'yes';
      saving: 'no' | 'yes';
      conflict: Conflict;
      /** Why saving failed. */
      words: string | undefined;
    };

/** See the module. */
export class Editing {
  readonly #doc = new Observable<Doc>({ name: 'none' });
  #line: number | undefined;

  constructor(private readonly calls: FileCalls) {}

  get doc(): Readable<Doc> {
    return this.#doc;
  }

  /** The path of what is shown. */
  get path(): string | undefined {
    const doc = this.#doc.value;
    return doc.name === 'none' ? undefined : doc.path;
  }

  get isEdited(): boolean {
    const doc = this.#doc.value;
    return doc.name === 'open' && doc.edited === 'yes';
  }

  /** The line that is to be seen once the file is shown; asked for once. */
  takeLine(): number | undefined {
    const line = this.#line;
    this.#line = undefined;
    return line;
  }

  /** Opens a file of unknown size at a line; one that is open stays as it is. */
  async openAt(path: string, line: number | undefined): Promise<void> {
    this.#line = line;
    const doc = this.#doc.value;
    if (doc.name !== 'open') return this.open(path, 0);
    if (doc.path !== path && doc.edited === 'no') return this.open(path, 0);
    // The same file: its editor is told again.
    if (doc.path === path) this.#change({ loaded: doc.edited === 'no' ? { text: doc.loaded.text } : doc.loaded });
  }

  async open(path: string, size: number): Promise<void> {
    if (size > LARGEST) {
      const words = `It has ${shownSize(size)}: files of up to ${shownSize(LARGEST)} can be edited here. You can download it.`;
      return this.#doc.set({ name: 'unshown', path, words });
    }
    this.#doc.set({ name: 'loading', path });
    await this.#load(path);
  }

  close(): void {
    this.#doc.set({ name: 'none' });
  }

  /** The editor's text is not what was loaded any more. */
  edit(): void {
    this.#change({ edited: 'yes' });
  }

  /** Loads what is there now, whatever was typed. */
  async reload(): Promise<void> {
    const path = this.path;
    if (path !== undefined) await this.#load(path);
  }

  /** Writes the editor's text; `anyway` also over what the shell made of it. */
  async save(text: string, how: 'unchanged' | 'anyway'): Promise<void> {
    const doc = this.#doc.value;
    if (doc.name !== 'open' || doc.saving === 'yes') return;
    const { path, tag } = doc;
    this.#change({ saving: 'yes', words: undefined, edited: 'no' });
    try {
      const expected = how === 'anyway' ? ({ name: 'any' } as const) : ({ name: 'tag', tag } as const);
      const saved = await this.calls.write(path, text, expected);
      if (this.path === path) this.#change({ tag: saved, saving: 'no', conflict: 'none' });
    } catch (error) {
      if (this.path !== path) return;
      const { status, detail } = error instanceof Failure ? error.problem : UNREACHABLE;
      const lost = { saving: 'no', edited: 'yes' } as const;
      if (status === 412) this.#change({ ...lost, conflict: 'changed' });
      else this.#change({ ...lost, words: detail });
    }
  }

  /** Something happened to the file, or may have. */
  async look(): Promise<void> {
    const doc = this.#doc.value;
    if (doc.name !== 'open' || doc.saving === 'yes') return;
    try {
      const { text, tag } = await this.calls.read(doc.path);
      const now = this.#doc.value;
      if (now.name !== 'open' || now.path !== doc.path || now.saving === 'yes' || now.tag === tag) return;
      if (now.edited === 'yes') this.#change({ conflict: 'changed' });
      else this.#show(now.path, text, tag);
    } catch (error) {
      const status = error instanceof Failure ? error.problem.status : 0;
      if (status === 404 && this.path === doc.path) this.#change({ conflict: 'gone' });
    }
  }

  /** The file, or a directory above it, has another name. */
  moved(from: string, to: string): void {
    const doc = this.#doc.value;
    if (doc.name === 'none') return;
    if (doc.path === from || doc.path.startsWith(`${from}/`)) {
      this.#doc.set({ ...doc, path: to + doc.path.slice(from.length) });
    }
  }

  async #load(path: string): Promise<void> {
    try {
      const { text, tag } = await this.calls.read(path);
      if (this.path === path) this.#show(path, text, tag);
    } catch (error) {
      if (this.path !== path) return;
      const problem = error instanceof Failure ? error.problem : UNREACHABLE;
      this.#doc.set({ name: 'unshown', path, words: problem.detail });
    }
  }

  #show(path: string, text: string | undefined, tag: string): void {
    if (text === undefined) {
      const words = `${shownName(nameOf(path))} is no text (UTF-8). You can download it.`;
      return this.#doc.set({ name: 'unshown', path, words });
    }
    const loaded = { text };
    const clean = { edited: 'no', saving: 'no', conflict: 'none', words: undefined } as const;
    this.#doc.set({ name: 'open', path, tag, loaded, ...clean });
  }

  #change(change: Partial<Extract<Doc, { name: 'open' }>>): void {
    const doc = this.#doc.value;
    if (doc.name === 'open') this.#doc.set({ ...doc, ...change });
  }
}
