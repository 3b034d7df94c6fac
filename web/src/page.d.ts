//! What the page adds to the window.

interface Window {
  /**
   * The text of the terminal in front, its scrollback included: for assistive programs and for tests, as a canvas has no
   * text to read. Present only while a session is shown.
   */
  sandlotTerminal?: { text(): string };
}
