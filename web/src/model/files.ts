//! A session's files as a tree of which some directories are open: their entries, kept as they are by a stream of changes.
import type { FileChange, FileEntry, FileKind } from '../protocol/generated';
import { Failure } from './api';
import { Editing } from './document';
import type { FileCalls } from './file-calls';
import { isWithin, joinPath, nameOf, parentOf } from './names';
import { Observable, type Dispose, type Readable } from './observable';
import type { World } from './ports';
import { UNREACHABLE } from './problem';
import { Uploads } from './uploads';

/** What is open at first: the root, and where a shell begins. */
const FIRST = ['/', '/root'];
/** The most directories that are followed; the server's bound is 256. */
const FOLLOWED = 200;
/** Milliseconds until a stream of changes that broke is asked for again. */
const AGAIN = 3000;

/** An open directory. */
export interface Directory {
  readonly state: { name: 'loading' } | { name: 'there' } | { name: 'failed'; words: string };
  readonly entries: readonly FileEntry[];
  readonly truncated: boolean;
}

/** The open directories by path. */
export type Tree = Readonly<Record<string, Directory>>;

/** One line of the tree. */
export interface Row {
  readonly path: string;
  readonly level: number;
  readonly entry: FileEntry;
  /** Of a directory: whether it is open, and why not. */
  readonly directory: Directory | undefined;
}

/** See the module. */
export class Files {
  readonly editing: Editing;
  readonly uploads: Uploads;
  readonly #tree = new Observable<Tree>({});
  readonly #problem = new Observable<string | undefined>(undefined);
  #limit: number | undefined;
  #stream: Dispose = () => undefined;
  #followed = '';
  #begun = false;

  constructor(
    private readonly world: World,
    private readonly calls: FileCalls,
    /** The path of the stream of changes, without directories. */
    private readonly changes: string,
  ) {
    this.editing = new Editing(calls);
    this.uploads = new Uploads(calls);
    this.editing.doc.subscribe(() => this.#begun && this.#follow());
  }

  get tree(): Readable<Tree> {
    return this.#tree;
  }

  /** Why the last thing that was asked for was not done. */
  get problem(): Readable<string | undefined> {
    return this.#problem;
  }

  /** Begins, or goes on, to follow the open directories. */
  begin(): void {
    this.#begun = true;
    if (Object.keys(this.#tree.value).length === 0) for (const path of FIRST) this.#put(path, LOADING);
    this.#follow();
  }

  /** Follows nothing until it begins again. */
  rest(): void {
    this.#begun = false;
    this.#unfollow();
  }

  open(path: string): void {
    if (this.#tree.value[path] !== undefined) return;
    this.#put(path, LOADING);
    this.#follow();
  }

  close(path: string): void {
    const left = Object.entries(this.#tree.value).filter(([other]) => !isWithin(other, path));
    this.#tree.set(Object.fromEntries(left));
    this.#follow();
  }

  makeFile(directory: string, name: string): Promise<boolean> {
    const path = joinPath(directory, name);
    return this.#attempt(async () => {
      await this.calls.write(path, '', { name: 'absent' });
      // What is typed and not saved stays in front.
      if (!this.editing.isEdited) await this.editing.open(path, 0);
    });
  }

  makeDirectory(directory: string, name: string): Promise<boolean> {
    return this.#attempt(() => this.calls.makeDirectory(joinPath(directory, name)));
  }

  remove(path: string): Promise<boolean> {
    return this.#attempt(async () => {
      await this.calls.remove(path);
      if (this.editing.path !== undefined && isWithin(this.editing.path, path)) this.editing.close();
      this.close(path);
    });
  }

  rename(path: string, name: string): Promise<boolean> {
    const to = joinPath(parentOf(path), name);
    return this.#attempt(async () => {
      await this.calls.rename(path, to);
      this.editing.moved(path, to);
      this.close(path);
    });
  }

  /** Sends files into a directory, which is opened so that they are seen. */
  upload(directory: string, wishes: readonly { path: string; payload: { size: number } | undefined }[]): void {
    this.open(directory);
    const placed = wishes.map((wish) => ({ ...wish, path: joinPath(directory, wish.path) }));
    this.uploads.add(placed, this.#limit);
  }

  dismiss(): void {
    this.#problem.set(undefined);
  }

  async #attempt(run: () => Promise<void>): Promise<boolean> {
    this.dismiss();
    try {
      await run();
      return true;
    } catch (error) {
      const problem = error instanceof Failure ? error.problem : UNREACHABLE;
      const exists = problem.status === 412 || problem.status === 409;
      this.#problem.set(exists && problem.status === 412 ? 'There is something of that name already.' : problem.detail);
      return false;
    }
  }

  /** Follows what is open now; the stream begins with word of each directory, so nothing is missed in between. */
  #follow(): void {
    if (!this.#begun) return;
    const edited = this.editing.path;
    const wanted = new Set(Object.keys(this.#tree.value));
    if (edited !== undefined) wanted.add(parentOf(edited));
    const directories = [...wanted].slice(0, FOLLOWED);
    const query = directories.map((path) => `directory=${path}`).join('&');
    if (query === this.#followed) return;
    this.#unfollow();
    this.#followed = query;
    let heard = false;
    const stream = this.world.openStream(`${this.changes}?${query}`, 'change', {
      event: (data) => {
        heard = true;
        this.#changed(data as FileChange);
      },
      ended: () => {
        // Without a stream the tree is still shown, and looked at now and then.
        if (!heard) for (const path of directories) this.#changed({ directory: path, names: [] });
        this.#stream = this.world.clock.after(AGAIN, () => {
          this.#followed = '';
          this.#follow();
        });
      },
    });
    this.#stream = stream;
  }

  #unfollow(): void {
    this.#stream();
    this.#stream = () => undefined;
    this.#followed = '';
  }

  #changed({ directory, names }: FileChange): void {
    const path = directory.length > 1 ? directory.replace(/\/+$/, '') : directory;
    if (this.#tree.value[path] !== undefined) void this.#list(path);
    const edited = this.editing.path;
    if (edited === undefined || parentOf(edited) !== path) return;
    if (names.length === 0 || names.includes(nameOf(edited))) void this.editing.look();
  }

  async #list(path: string): Promise<void> {
    try {
      const { entries, truncated, upload_limit: limit } = await this.calls.list(path);
      this.#limit = limit;
      if (this.#tree.value[path] === undefined) return;
      this.#put(path, { state: { name: 'there' }, entries: entries.toSorted(order), truncated });
    } catch (error) {
      if (this.#tree.value[path] === undefined) return;
      const problem = error instanceof Failure ? error.problem : UNREACHABLE;
      if (problem.status === 404 && path !== '/') this.close(path);
      else this.#put(path, { state: { name: 'failed', words: problem.detail }, entries: [], truncated: false });
    }
  }

  #put(path: string, directory: Directory): void {
    this.#tree.set({ ...this.#tree.value, [path]: directory });
  }
}

const LOADING: Directory = { state: { name: 'loading' }, entries: [], truncated: false };

/** What an entry is to whoever opens it: a link counts as what it leads to. */
export function effectiveKind(entry: FileEntry): FileKind {
  return entry.kind === 'link' ? (entry.leads_to ?? 'link') : entry.kind;
}

/** Directories first, then by name. */
function order(a: FileEntry, b: FileEntry): number {
  const rank = (entry: FileEntry) => (effectiveKind(entry) === 'directory' ? 0 : 1);
  return rank(a) - rank(b) || (a.name < b.name ? -1 : 1);
}

/** The tree as lines from top to bottom. */
export function rows(tree: Tree, top = '/', level = 1): Row[] {
  return (tree[top]?.entries ?? []).flatMap((entry) => {
    const path = joinPath(top, entry.name);
    const directory = effectiveKind(entry) === 'directory' ? tree[path] : undefined;
    const row = { path, level, entry, directory };
    return directory === undefined ? [row] : [row, ...rows(tree, path, level + 1)];
  });
}
