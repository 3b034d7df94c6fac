//! Recordings as the page lists them. Pure.
import type { FoundLine } from '../protocol/generated';

/** Lines that were found in one recording. */
export interface FoundIn {
  key: string;
  title: string;
  startedAt: string;
  lines: FoundLine[];
}

/** Found lines by recording, in the order in which they came. */
export function groupFound(lines: readonly FoundLine[]): FoundIn[] {
  const groups = new Map<string, FoundIn>();
  for (const line of lines) {
    const key = `${line.session}/${line.terminal}`;
    const group = groups.get(key);
    if (group !== undefined) group.lines.push(line);
    else groups.set(key, { key, title: line.title, startedAt: line.started_at, lines: [line] });
  }
  return [...groups.values()];
}

/** How many lines were found, in words. The server answers with so many at most. */
export function hit(count: number): string {
  if (count >= 200) return 'The first 200 lines that show it:';
  return count === 1 ? 'One line shows it:' : `${count} lines show it:`;
}

/** A moment or a length as a clock shows it: `0:05`, `12:30`, `1:02:03`. */
export function length(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The markers of an asciicast of version 3: their times in seconds, and labels. Lines that are no events are passed over. */
export function markersOf(cast: string): { at: number; label: string }[] {
  const markers: { at: number; label: string }[] = [];
  let at = 0;
  for (const line of cast.split('\n')) {
    const after = line.startsWith('[') ? Number.parseFloat(line.slice(1)) : Number.NaN;
    if (Number.isNaN(after)) continue;
    at += after;
    if (!/^\[[\d.]+, ?"m"/.test(line)) continue;
    const [, , label]: unknown[] = JSON.parse(line);
    markers.push({ at, label: String(label) });
  }
  return markers;
}
