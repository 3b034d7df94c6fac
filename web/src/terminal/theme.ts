//! The terminal's colours, by day and by night. Every colour of text keeps a contrast of 4.5 to the background (WCAG AA);
//! xterm.js holds programs' own combinations to the same.
import type { ITheme } from '@xterm/xterm';

/** The lowest contrast of text, WCAG 2 AA. */
export const CONTRAST = 4.5;

const night: ITheme = {
  background: '#0c1310',
  foreground: '#dde7df',
  cursor: '#ffd75e',
  cursorAccent: '#0c1310',
  selectionBackground: '#35574680',
  selectionInactiveBackground: '#2c3f3580',
  scrollbarSliderBackground: '#dde7df22',
  scrollbarSliderHoverBackground: '#dde7df44',
  scrollbarSliderActiveBackground: '#dde7df66',
  black: '#1c2621',
  red: '#ff8077',
  green: '#7fdc95',
  yellow: '#ecc963',
  blue: '#7dbbff',
  magenta: '#d5adff',
  cyan: '#70d8d0',
  white: '#c8d3cb',
  brightBlack: '#7f8f86',
  brightRed: '#ffa69f',
  brightGreen: '#a6ebb6',
  brightYellow: '#f8df97',
  brightBlue: '#abd3ff',
  brightMagenta: '#e6cdff',
  brightCyan: '#a0eae4',
  brightWhite: '#f5f9f6',
};

const day: ITheme = {
  background: '#fcfdfa',
  foreground: '#1b2921',
  cursor: '#1f7a45',
  cursorAccent: '#fcfdfa',
  selectionBackground: '#bfe3cc99',
  selectionInactiveBackground: '#dbe8df99',
  scrollbarSliderBackground: '#1b292122',
  scrollbarSliderHoverBackground: '#1b292144',
  scrollbarSliderActiveBackground: '#1b292166',
  black: '#1b2921',
  red: '#b3261e',
  green: '#1d7439',
  yellow: '#7a5800',
  blue: '#1d5cba',
  magenta: '#8437b3',
  cyan: '#0a6a72',
  white: '#d4ddd6',
  brightBlack: '#5c6b62',
  brightRed: '#c9322a',
  brightGreen: '#23803f',
  brightYellow: '#896200',
  brightBlue: '#2a69c9',
  brightMagenta: '#9446c2',
  brightCyan: '#0e747c',
  brightWhite: '#ffffff',
};

/** The terminal's colours for a theme. */
export function terminalTheme(theme: 'light' | 'dark'): ITheme {
  return theme === 'dark' ? night : day;
}

/** Colours of what a search found. */
export function searchColours(theme: 'light' | 'dark') {
  return theme === 'dark'
    ? {
        matchBackground: '#4a4420',
        matchOverviewRuler: '#ffd75e',
        activeMatchBackground: '#8a7420',
        activeMatchColorOverviewRuler: '#ffffff',
      }
    : {
        matchBackground: '#fbe9a8',
        matchOverviewRuler: '#b38600',
        activeMatchBackground: '#f4c430',
        activeMatchColorOverviewRuler: '#1b2921',
      };
}
