//! What is pasted: whether it is asked about first. Pure.

/** Text that is about to be pasted. */
export interface Pasted {
  text: string;
  lines: number;
  /** `held`: the program takes it as one piece and runs nothing by itself; `run`: each line is run as if typed. */
  taken: 'held' | 'run';
}

/** Lines shown of what is asked about, and characters of a line. */
const SHOWN = 12;
const WIDTH = 160;

/** What is to be asked about, or `undefined` when it is pasted at once: a single line. */
export function asksFirst(text: string, bracketed: 'on' | 'off'): Pasted | undefined {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\n$/, '').split('\n').length;
  if (lines < 2) return undefined;
  return { text, lines, taken: bracketed === 'on' ? 'held' : 'run' };
}

/** The first lines, with signs for what has none: what hides from the eye must not hide from who is asked. */
export function preview(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\n$/, '').split('\n');
  const shown = lines.slice(0, SHOWN).map((line) => {
    const plain = line.replace(/\t/g, '  ').replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}');
    return plain.length > WIDTH ? `${plain.slice(0, WIDTH)}…` : plain;
  });
  const more = lines.length - shown.length;
  return more > 0 ? [...shown, `… and ${more} more`].join('\n') : shown.join('\n');
}
