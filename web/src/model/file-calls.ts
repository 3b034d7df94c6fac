//! The calls of a session's files, as an interface: the browser's own are in `src/browser/files.ts`.
import type { FileListing } from '../protocol/generated';

/** What must be so, or nothing is written: nothing there, this tag, or whatever there is. */
export type Expected = { name: 'absent' } | { name: 'tag'; tag: string } | { name: 'any' };

/** A file's text; `undefined` when it is none. */
export interface Loaded {
  readonly text: string | undefined;
  readonly tag: string;
}

/** Bytes to be sent; what they are is the browser's business. */
export interface Payload {
  readonly size: number;
}

/** Each rejects with a `Failure`. */
export interface FileCalls {
  list(path: string): Promise<FileListing>;
  read(path: string): Promise<Loaded>;
  /** Answers the new tag. */
  write(path: string, text: string, expected: Expected): Promise<string>;
  upload(path: string, payload: Payload, expected: Expected, progress: (sent: number) => void): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  rename(path: string, to: string): Promise<void>;
}
