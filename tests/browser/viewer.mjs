// A viewer without a window: xterm.js as the page sets it up, and all that can be seen of its state.
import unicode11 from '@xterm/addon-unicode11';
import headless from '@xterm/headless';

/** Lines of scrollback that must be the same. */
const KEPT = 1000;

export class Viewer {
  constructor({ cols, rows }) {
    this.terminal = new headless.Terminal({ cols, rows, scrollback: 5000, allowProposedApi: true });
    this.terminal.loadAddon(new unicode11.Unicode11Addon());
    this.terminal.unicode.activeVersion = '11';
    this.title = '';
    this.terminal.onTitleChange((title) => (this.title = title));
  }

  write(bytes) {
    return new Promise((resolve) => this.terminal.write(bytes, resolve));
  }

  resize({ cols, rows }) {
    this.terminal.resize(cols, rows);
  }

  /** All of it, as text that can be compared. */
  state() {
    const { active, normal, alternate } = this.terminal.buffer;
    const screens = active.type === 'alternate' ? { normal, alternate } : { normal };
    const lines = Object.fromEntries(Object.entries(screens).map(([name, buffer]) => [name, drawn(buffer)]));
    const { cursorX, cursorY, type } = active;
    return { ...lines, type, cursor: `${cursorX},${cursorY}`, modes: this.terminal.modes, title: this.title };
  }
}

/** Which of the last lines continue the one before: nowhere seen, but a copied text or another width shows it. */
export function continued({ terminal }, count) {
  const { active } = terminal.buffer;
  return Array.from({ length: count }, (_, at) => active.getLine(active.length - count + at).isWrapped);
}

function drawn(buffer) {
  const lines = [];
  for (let at = Math.max(0, buffer.length - KEPT - 24); at < buffer.length; at += 1) lines.push(line(buffer.getLine(at)));
  while (lines[0] !== undefined && lines[0] === '' && lines.length > 24) lines.shift();
  return lines;
}

function line(line) {
  let text = '';
  let blank = '';
  for (let column = 0; column < line.length; column += 1) {
    const cell = line.getCell(column);
    if (cell.getWidth() === 0) continue;
    const style = cell.isAttributeDefault() ? '' : styled(cell);
    const shown = `${style}${cell.getChars() || ' '}`;
    if (shown === ' ') blank += ' ';
    else [text, blank] = [text + blank + shown, ''];
  }
  return text;
}

/** What of a cell's style can be seen: on an empty one neither weight nor colour of the letters. */
function styled(cell) {
  const empty = cell.getChars().trim() === '';
  const flags = empty ? ['Underline', 'Inverse', 'Strikethrough'] : ['Bold', 'Dim', 'Italic', 'Underline', 'Blink', 'Inverse', 'Invisible', 'Strikethrough'];
  const set = flags.filter((flag) => cell[`is${flag}`]()).map((flag) => flag[0] + flag[1]);
  const colour = (ground, mode) => (cell[`is${ground}Default`]() ? '-' : `${cell[mode]() >> 24}:${cell[`get${ground}Color`]()}`);
  const front = empty && set.length === 0 ? '-' : colour('Fg', 'getFgColorMode');
  const style = `${set.join('')} ${front} ${colour('Bg', 'getBgColorMode')}`;
  return style === ' - -' ? '' : `{${style}}`;
}
