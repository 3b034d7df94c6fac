//! The visitor's choices, kept in this browser's storage, and the theme that follows from them.
import { Observable, type Readable } from '../model/observable';
import { parseSettings, type Settings } from '../model/settings';

const KEY = 'sandlot.settings';
const dark = matchMedia('(prefers-color-scheme: dark)');

const settings = new Observable<Settings>(parseSettings(read()));
const theme = new Observable<'light' | 'dark'>(resolve());

/** The choices. */
export const chosen: Readable<Settings> = settings;
/** The theme that is shown, after the system's preference. */
export const shownTheme: Readable<'light' | 'dark'> = theme;

/** Changes some of the choices and remembers them. */
export function choose(change: Partial<Settings>): void {
  settings.set({ ...settings.value, ...change });
  try {
    localStorage.setItem(KEY, JSON.stringify(settings.value));
  } catch {
    // Storage may be forbidden or full: the choice then lasts as long as the page.
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function resolve(): 'light' | 'dark' {
  const { theme } = settings.value;
  return theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme;
}

dark.addEventListener('change', () => theme.set(resolve()));
settings.subscribe(() => theme.set(resolve()));
theme.subscribe((name) => (document.documentElement.dataset['theme'] = name));
