//! Names and paths of a session's files. Names are bytes, so everywhere but on the screen they are percent-encoded, in one
//! spelling: that of the server. A path begins at the root, and ends without a slash.

/** What may be a character of UTF-8, percent-encoded; else one byte. */
const CHARACTER = /%F[0-4](?:%[89AB].){3}|%E.(?:%[89AB].){2}|%[CD].%[89AB].|%../gi;
/** How many characters of a name are shown. */
const SHOWN = 200;

/** What somebody typed as a name or path. */
export function encodeName(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** What somebody typed as an absolute path. */
export function encodePath(text: string): string {
  return text.split('/').map(encodeName).join('/');
}

/** A name as people read it: what is no UTF-8, no character of its own, or turns the line around becomes visible. */
export function shownName(encoded: string): string {
  const text = encoded.replace(CHARACTER, decodeCharacter);
  const visible = text
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd');
  return visible.length > SHOWN ? `${visible.slice(0, SHOWN)}…` : visible;
}

function decodeCharacter(bytes: string): string {
  try {
    return decodeURIComponent(bytes);
  } catch {
    return '\ufffd';
  }
}

export function joinPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `path` is `above` or lies below it. */
export function isWithin(path: string, above: string): boolean {
  return above === '/' || path === above || path.startsWith(`${above}/`);
}

/** A number of bytes in words. */
export function shownSize(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
