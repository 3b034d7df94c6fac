//! Who is there, as the page says it: one entry a person, however many windows they have open. Pure.
import type { Onlooker } from '../protocol/generated';

/** Somebody who is there. */
export interface Person {
  name: string;
  you: boolean;
  drives: boolean;
  mode: 'control' | 'view';
  windows: number;
}

/** The people behind a terminal's viewers, this page's visitor first. */
export function company(viewers: readonly Onlooker[]): Person[] {
  const people = new Map<string, Person>();
  for (const { name, you, drives, mode } of viewers) {
    const before = people.get(name);
    people.set(name, {
      name,
      you: you || (before?.you ?? false),
      drives: drives || (before?.drives ?? false),
      mode: mode === 'control' || before?.mode === 'control' ? 'control' : 'view',
      windows: (before?.windows ?? 0) + 1,
    });
  }
  return [...people.values()].sort((a, b) => Number(b.you) - Number(a.you));
}
