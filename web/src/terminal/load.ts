//! Loads the terminal's code: early and beside other waiting, for it is most of the page's weight.

/** The code of the terminal; asked for twice, it is loaded once. */
export function loadScreen(): Promise<typeof import('./screen')> {
  return import('./screen');
}

/** Begins loading both the terminal and its WebGL renderer, and does not wait. A failure shows when the terminal is needed. */
export function preloadScreen(): void {
  void loadScreen().catch(() => undefined);
  void import('@xterm/addon-webgl').catch(() => undefined);
}
