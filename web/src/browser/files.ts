//! A session's files by the browser's own means: `fetch`, and for uploads `XMLHttpRequest`, which tells its progress.
import { Failure, filesPath } from '../model/api';
import type { Expected, FileCalls, Payload } from '../model/file-calls';
import { problem, UNREACHABLE } from '../model/problem';
import type { FileListing } from '../protocol/generated';

/** A file of this machine. */
export interface LocalFile extends Payload {
  readonly blob: Blob;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function condition(expected: Expected): Record<string, string> {
  switch (expected.name) {
    case 'absent':
      return { 'If-None-Match': '*' };
    case 'tag':
      return { 'If-Match': `"${expected.tag}"` };
    case 'any':
      return {};
  }
}

function tagOf(header: string | null): string {
  return (header ?? '').replace(/^W\//, '').replaceAll('"', '');
}

/** The calls of one session. */
export function browserFiles(session: string): FileCalls {
  const address = (path: string) => filesPath(session) + path;

  async function ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    let answer: Response;
    try {
      answer = await fetch(address(path), { method, credentials: 'same-origin', cache: 'no-store', ...init });
    } catch {
      throw new Failure(UNREACHABLE);
    }
    if (answer.ok) return answer;
    throw new Failure(problem({ status: answer.status, body: parse(await answer.text()), retryAfter: undefined }));
  }

  return {
    async list(path) {
      return (await (await ask('GET', path)).json()) as FileListing;
    },
    async read(path) {
      const answer = await ask('GET', path);
      const bytes = await answer.arrayBuffer();
      let text: string | undefined;
      try {
        text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        text = undefined;
      }
      // A zero byte is UTF-8, but no text.
      return { text: text?.includes('\0') ? undefined : text, tag: tagOf(answer.headers.get('etag')) };
    },
    async write(path, text, expected) {
      const answer = await ask('PUT', path, { body: new Blob([text]), headers: condition(expected) });
      return tagOf(answer.headers.get('etag'));
    },
    upload: (path, payload, expected, progress) =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open('PUT', address(path));
        for (const [name, value] of Object.entries(condition(expected))) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => progress(event.loaded);
        request.onerror = () => reject(new Failure(UNREACHABLE));
        request.onload = () => {
          const { status, responseText } = request;
          if (status >= 200 && status < 300) resolve();
          else reject(new Failure(problem({ status, body: parse(responseText), retryAfter: undefined })));
        };
        request.send((payload as LocalFile).blob);
      }),
    async makeDirectory(path) {
      await ask('PUT', `${path}?kind=directory`);
    },
    async remove(path) {
      await ask('DELETE', path);
    },
    async rename(path, to) {
      const headers = { 'content-type': 'application/json' };
      await ask('POST', path, { body: JSON.stringify({ to }), headers });
    },
  };
}

/** Where a file is downloaded from, or a directory as an archive. */
export function downloadPath(session: string, path: string, kind: 'file' | 'directory'): string {
  return filesPath(session) + path + (kind === 'directory' ? '?archive=tar' : '');
}
