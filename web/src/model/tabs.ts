//! The row of tabs over a session's terminals: which there are, what they are called, which is in front. Pure values.

/** A tab. */
export interface Tab<T> {
  id: string;
  /** What the visitor called it; wins over the title. */
  name?: string;
  /** What the program in the terminal called itself. */
  title?: string;
  /** What is shown in it. */
  content: T;
}

/** A row of tabs. */
export interface Tabs<T> {
  all: readonly Tab<T>[];
  /** The id of the one in front; empty when there is none. */
  active: string;
}

/** The longest name of a tab, in characters. */
const NAME_LIMIT = 40;

/** A row with one more tab, in front. */
export function addTab<T>(tabs: Tabs<T>, tab: Tab<T>): Tabs<T> {
  return { all: [...tabs.all.filter((other) => other.id !== tab.id), tab], active: tab.id };
}

/** A row without a tab; its neighbour comes to the front. */
export function removeTab<T>(tabs: Tabs<T>, id: string): Tabs<T> {
  const at = tabs.all.findIndex((tab) => tab.id === id);
  if (at < 0) return tabs;
  const all = tabs.all.filter((tab) => tab.id !== id);
  const neighbour = all[Math.min(at, all.length - 1)]?.id ?? '';
  return { all, active: tabs.active === id ? neighbour : tabs.active };
}

/** A row with another tab in front. */
export function activateTab<T>(tabs: Tabs<T>, id: string): Tabs<T> {
  return tabs.all.some((tab) => tab.id === id) ? { ...tabs, active: id } : tabs;
}

/** The id of the tab `step` places beside the one in front, round the ends. */
export function neighbour<T>(tabs: Tabs<T>, step: number): string {
  const at = tabs.all.findIndex((tab) => tab.id === tabs.active);
  const count = tabs.all.length;
  return count === 0 ? '' : (tabs.all[(((at + step) % count) + count) % count]?.id ?? '');
}

/** A row in which one tab has another name or title. An empty name gives the title back its place. */
export function retitleTab<T>(tabs: Tabs<T>, id: string, change: { name?: string; title?: string }): Tabs<T> {
  return {
    ...tabs,
    all: tabs.all.map((tab) => {
      if (tab.id !== id) return tab;
      const name = plain(change.name ?? tab.name ?? '');
      const title = plain(change.title ?? tab.title ?? '');
      return { id, content: tab.content, ...(name ? { name } : {}), ...(title ? { title } : {}) };
    }),
  };
}

/** What is written on a tab. */
export function tabLabel<T>(tab: Tab<T>, index: number): string {
  return tab.name ?? tab.title ?? `Terminal ${index + 1}`;
}

/**
 * A title comes from a program that may be hostile: no control characters, none that turn the direction of writing, and
 * not without end.
 */
export function plain(text: string): string {
  const cleaned = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  return [...cleaned].slice(0, NAME_LIMIT).join('');
}
