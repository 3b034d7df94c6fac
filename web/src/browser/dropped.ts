//! Files and folders that were dropped on the page or chosen in a dialog, as a flat list with paths.
import { encodeName } from '../model/names';
import type { LocalFile } from './files';

/** A file with its path below where it was dropped; without a payload an (empty) folder. */
export interface Dropped {
  path: string;
  payload: LocalFile | undefined;
}

/** The most entries that are looked at. */
const MOST = 10_000;

function local(path: string, file: File): Dropped {
  return { path, payload: { size: file.size, blob: file } };
}

/** Files chosen in a dialog; of a folder's with the folder's name. */
export function chosenFiles(files: FileList): Dropped[] {
  return [...files].map((file) => {
    const path = file.webkitRelativePath === '' ? file.name : file.webkitRelativePath;
    return local(path.split('/').map(encodeName).join('/'), file);
  });
}

/** What was dropped, folders with all that is in them. Must be called while the event is handled. */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped[]> {
  const tops = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Dropped[] = [];
  for (const top of tops) await gather(top, '', found);
  return found;
}

async function gather(entry: FileSystemEntry, above: string, found: Dropped[]): Promise<void> {
  if (found.length >= MOST) return;
  const path = above + encodeName(entry.name);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push(local(path, file));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const read = () => new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
  let empty = true;
  // It answers a hundred at a time, and nothing once there is no more.
  for (let some = await read(); some.length > 0; some = await read()) {
    empty = false;
    for (const one of some) await gather(one, `${path}/`, found);
  }
  if (empty) found.push({ path, payload: undefined });
}
