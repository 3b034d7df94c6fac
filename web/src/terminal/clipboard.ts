//! The system's clipboard: written by the visitor's copy and, within limits, by the program (OSC 52); never read by it.
import type { IClipboardProvider } from '@xterm/addon-clipboard';

/** The most that a program may put on the clipboard, in UTF-16 units. */
const LIMIT = 100_000;

/** Puts text on the clipboard, also where the page is not served securely and the asynchronous interface is missing. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
}

/** The clipboard as a program sees it: it may write while its terminal has the focus; reading yields nothing. */
export function programClipboard(focused: () => boolean): IClipboardProvider {
  return {
    readText: () => '',
    writeText: (selection, text) => {
      if (String(selection) !== 'c' || !focused() || text.length > LIMIT) return;
      return copy(text).catch(() => undefined);
    },
  };
}
