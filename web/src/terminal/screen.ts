//! xterm.js with its addons, as the page uses it: a `Sink` for a link's bytes, a source of what is typed. It knows the link
//! only by these two, and nothing of sessions. This module and what it imports is loaded when a terminal is first needed.
import '@xterm/xterm/css/xterm.css';
import { ClipboardAddon } from '@xterm/addon-clipboard';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import type { Seat, Sink } from '../model/sink';
import { Observable, type Dispose, type Readable } from '../model/observable';
import { copy, programClipboard } from './clipboard';
import { arrow, keyCommand, withControl, type KeyCommand, type Platform } from './keys';
import { devicePixels } from './pixels';
import { linkHints, markedLinks, openLink } from './links';
import { asksFirst, type Pasted } from './paste';
import { isAnswer, isReport } from './reports';
import { CONTRAST, searchColours, terminalTheme } from './theme';

/** What a terminal tells its page. */
export interface ScreenEvents {
  typed(bytes: Uint8Array): void;
  /** What the terminal says by itself: see `reports.ts`. */
  reported(bytes: Uint8Array): void;
  /** What the terminal answered to a program's question. */
  answered(text: string): void;
  /** Several lines are about to be pasted: `paste` does it. */
  asked(pasted: Pasted, paste: () => void): void;
  /** Whether a program may write the clipboard now. */
  mayCopy(): boolean;
  /** The size that this terminal would have in its place. */
  resized(cols: number, rows: number): void;
  titled(title: string): void;
  /** A key of the page's own, apart from copying, which is done here. */
  command(command: KeyCommand): void;
}

/** How a terminal looks and behaves; all of it may change while it lives. */
export interface ScreenLook {
  theme: 'light' | 'dark';
  fontSize: number;
  screenReader: 'off' | 'on';
}

/** What a search found. `at` counts from 1; 0 is none. */
export interface Found {
  at: number;
  count: number;
}

/** Lines kept above the screen. */
const SCROLLBACK = 5000;
/** The smallest letters, in pixels: what still does not fit is scrolled. */
const SMALLEST = 4;
/** Ends a half-received sequence, then resets everything: in band, so that it stays in order with what is still to draw. */
const RESET = Uint8Array.of(0x18, 0x1b, 0x63);
const FONTS =
  'ui-monospace, "Cascadia Mono", "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace';

/** A terminal on the page. */
export class Screen implements Sink {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #search = new SearchAddon({ highlightLimit: 1000 });
  readonly #found = new Observable<Found>({ at: 0, count: 0 });
  readonly #control = new Observable<'up' | 'down'>('up');
  readonly #disposables: Dispose[] = [];
  readonly #encoder = new TextEncoder();
  #look: ScreenLook;
  #seat: Seat = 'driver';
  #renderer: Dispose | undefined;

  constructor(
    private readonly host: HTMLElement,
    private readonly events: ScreenEvents,
    private readonly platform: Platform,
    look: ScreenLook,
  ) {
    this.#look = look;
    const hints = linkHints(host, platform === 'mac' ? 'Cmd' : 'Ctrl');
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      cursorInactiveStyle: 'outline',
      fontFamily: FONTS,
      lineHeight: 1.15,
      linkHandler: markedLinks(hints),
      macOptionClickForcesSelection: true,
      minimumContrastRatio: CONTRAST,
      scrollback: SCROLLBACK,
      ...options(look),
    });
    const terminal = this.#terminal;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(this.#search);
    terminal.loadAddon(new WebLinksAddon(openLink, hints));
    terminal.loadAddon(
      new ClipboardAddon(
        undefined,
        programClipboard(() => host.contains(document.activeElement) && events.mayCopy()),
      ),
    );
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = '11';
    terminal.open(host);
    this.#listen();
  }

  get found(): Readable<Found> {
    return this.#found;
  }

  /** Whether the bar's Ctrl is held for the next key. */
  get control(): Readable<'up' | 'down'> {
    return this.#control;
  }

  reset(): void {
    this.#terminal.write(RESET);
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#terminal.write(bytes, done);
  }

  resized(cols: number, rows: number): void {
    if (cols > 0 && rows > 0) this.#terminal.resize(cols, rows);
    if (this.#seat === 'passenger') this.fit();
  }

  /** A passenger's terminal has the driver's size: its letters shrink until all of it can be seen. */
  seat(seat: Seat): void {
    if (seat === this.#seat) return;
    this.#seat = seat;
    this.host.dataset['seat'] = seat;
    this.#terminal.options.fontSize = this.#look.fontSize;
    this.fit();
  }

  /** Makes the terminal as large as its place, or its letters so small that it fits, and tells the size of the place. */
  fit(): void {
    if (this.host.offsetParent === null) return;
    const place = this.#fit.proposeDimensions();
    if (place === undefined || Number.isNaN(place.cols) || Number.isNaN(place.rows)) return;
    const terminal = this.#terminal;
    if (this.#seat === 'driver') {
      if (terminal.cols !== place.cols || terminal.rows !== place.rows) this.#fit.fit();
      return this.events.resized(terminal.cols, terminal.rows);
    }
    this.#shrink(place);
  }

  /** Gives the letters the largest size, up to the chosen one, with which the driver's screen fits the place. */
  #shrink(place: { cols: number; rows: number }): void {
    const terminal = this.#terminal;
    const size = terminal.options.fontSize ?? this.#look.fontSize;
    // The size of a letter grows with that of the font.
    const scale = size / this.#look.fontSize;
    this.events.resized(Math.max(2, Math.floor(place.cols * scale)), Math.max(1, Math.floor(place.rows * scale)));
    const fits = size * Math.min(place.cols / terminal.cols, place.rows / terminal.rows);
    let next = Math.min(this.#look.fontSize, Math.ceil(fits * 2) / 2);
    // Renderers round the width of a letter: what should fit is tried.
    for (; next > SMALLEST; next -= 0.5) {
      if (next !== terminal.options.fontSize) terminal.options.fontSize = next;
      const now = this.#fit.proposeDimensions();
      if (now !== undefined && now.cols >= terminal.cols && now.rows >= terminal.rows) return;
    }
    terminal.options.fontSize = SMALLEST;
  }

  setLook(look: ScreenLook): void {
    this.#look = look;
    Object.assign(this.#terminal.options, options(look));
    this.fit();
  }

  /** Draws by WebGL where that can be had: browsers allow only some sixteen at once, so only the terminal in front does. */
  async accelerate(): Promise<void> {
    if (this.#renderer !== undefined) return;
    this.#renderer = () => undefined;
    const [{ WebglAddon }, pixels] = await Promise.all([import('@xterm/addon-webgl'), devicePixels(this.host)]);
    if (this.#renderer === undefined || pixels === 'false') return;
    try {
      const addon = new WebglAddon();
      addon.onContextLoss(() => this.decelerate());
      this.#terminal.loadAddon(addon);
      this.#renderer = () => addon.dispose();
      // The renderers round the width of a letter differently.
      this.fit();
    } catch {
      // No WebGL here: the DOM renderer stays, which is slower and looks the same.
      this.#renderer = () => undefined;
    }
  }

  /** Goes back to drawing by the DOM. */
  decelerate(): void {
    this.#renderer?.();
    this.#renderer = undefined;
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Takes typing or not. */
  setInput(input: 'taken' | 'ignored'): void {
    this.#terminal.options.disableStdin = input === 'ignored';
  }

  /** Sends a key of the bar. */
  press(key: 'escape' | 'tab' | 'up' | 'down' | 'left' | 'right' | 'control'): void {
    if (key === 'control') return this.#control.set(this.#control.value === 'up' ? 'down' : 'up');
    const application = this.#terminal.modes.applicationCursorKeysMode ? 'application' : 'normal';
    const text = key === 'escape' ? '\x1b' : key === 'tab' ? '\t' : arrow(key, application);
    this.#terminal.input(text);
  }

  async copySelection(): Promise<void> {
    const text = this.#terminal.getSelection();
    if (text !== '') await copy(text).catch(() => undefined);
  }

  /** Pastes from the clipboard; the browser may ask the visitor first. */
  async paste(): Promise<void> {
    const text = await navigator.clipboard?.readText().catch(() => '');
    if (text && !this.#asks(text)) this.#terminal.paste(text);
    this.focus();
  }

  /** Whether it is asked first. */
  #asks(text: string): boolean {
    const pasted = asksFirst(text, this.#terminal.modes.bracketedPasteMode ? 'on' : 'off');
    if (pasted === undefined || this.#terminal.options.disableStdin) return false;
    this.events.asked(pasted, () => this.#terminal.paste(text));
    return true;
  }

  search(text: string, direction: 'next' | 'previous' | 'refine'): void {
    if (text === '') return this.endSearch();
    const colours = searchColours(this.#look.theme);
    const settings = { decorations: colours, incremental: direction === 'refine' };
    // What is found is also selected, and a selection without the focus would be drawn over the match's own colour.
    const selection = { selectionInactiveBackground: colours.activeMatchBackground };
    this.#terminal.options.theme = { ...terminalTheme(this.#look.theme), ...selection };
    if (direction === 'next') this.#search.findNext(text, settings);
    else this.#search.findPrevious(text, { ...settings, incremental: false });
  }

  endSearch(): void {
    this.#search.clearDecorations();
    this.#terminal.options.theme = terminalTheme(this.#look.theme);
    this.#terminal.clearSelection();
    this.#found.set({ at: 0, count: 0 });
  }

  /** All that the terminal holds, as text; lines that were folded are whole again. */
  text(): string {
    const buffer = this.#terminal.buffer.active;
    const lines: string[] = [];
    for (let at = 0; at < buffer.length; at += 1) {
      const line = buffer.getLine(at);
      if (line === undefined) continue;
      const folded = buffer.getLine(at + 1)?.isWrapped ?? false;
      const text = line.translateToString(!folded);
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join('\n').trimEnd();
  }

  dispose(): void {
    for (const dispose of this.#disposables) dispose();
    this.decelerate();
    this.#terminal.dispose();
  }

  #listen(): void {
    const terminal = this.#terminal;
    terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    terminal.onData((data) => {
      if (isAnswer(data)) return this.events.answered(data);
      if (isReport(data)) return this.events.reported(this.#encoder.encode(data));
      const text = this.#control.value === 'down' ? withControl(data) : data;
      this.#control.set('up');
      this.events.typed(this.#encoder.encode(text));
    });
    terminal.onBinary((data) =>
      this.events.reported(Uint8Array.from(data, (character) => character.charCodeAt(0) & 0xff)),
    );
    terminal.onTitleChange((title) => this.events.titled(title));
    this.#search.onDidChangeResults(({ resultIndex, resultCount }) =>
      this.#found.set({ at: resultIndex + 1, count: resultCount }),
    );
    const pasted = (event: ClipboardEvent) => {
      if (!this.#asks(event.clipboardData?.getData('text/plain') ?? '')) return;
      event.preventDefault();
      event.stopPropagation();
    };
    this.host.addEventListener('paste', pasted, true);
    this.#disposables.push(() => this.host.removeEventListener('paste', pasted, true));
    const observer = new ResizeObserver(() => this.fit());
    observer.observe(this.host);
    this.#disposables.push(() => observer.disconnect());
  }

  /** Returns whether xterm.js handles the key. */
  #key(event: KeyboardEvent): boolean {
    const command = keyCommand(event, this.platform, this.#terminal.hasSelection() ? 'some' : 'none');
    if (command === undefined) return true;
    if (command.name === 'browser') return false;
    event.preventDefault();
    if (event.type !== 'keydown') return false;
    if (command.name === 'copy') void this.copySelection();
    else this.events.command(command);
    return false;
  }
}

function options(look: ScreenLook) {
  return {
    theme: terminalTheme(look.theme),
    fontSize: look.fontSize,
    screenReaderMode: look.screenReader === 'on',
  };
}
