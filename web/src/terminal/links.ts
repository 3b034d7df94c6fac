//! Links in a terminal's text: opened with Ctrl (Cmd) and a click, as text there is to be selected by a plain one.
import type { ILinkHandler } from '@xterm/xterm';

/** Opens an address in a new tab that knows nothing of this page, when the visitor meant it. */
export function openLink(event: MouseEvent, address: string): void {
  const meant = event.ctrlKey || event.metaKey || matchMedia('(pointer: coarse)').matches;
  if (!meant || !/^https?:\/\//i.test(address)) return;
  window.open(address, '_blank', 'noopener,noreferrer');
}

/** Says where a link goes: with OSC 8 its text need not be its address. */
export function linkHints(element: HTMLElement, modifier: 'Ctrl' | 'Cmd') {
  return {
    hover: (_event: MouseEvent, address: string) => {
      element.title = `${address}\n${modifier} + click to open`;
    },
    leave: () => element.removeAttribute('title'),
  };
}

/** The same for addresses that a program marked as links (OSC 8). */
export function markedLinks(hints: ReturnType<typeof linkHints>): ILinkHandler {
  return { activate: openLink, ...hints, allowNonHttpProtocols: false };
}
