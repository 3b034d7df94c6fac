//! Which keys belong to the page and which to the program in the terminal. Pure: an event in, a command out.
//! Copy and paste are the usual keys of each system, as in Visual Studio Code's terminal.

/** What the page does instead of the program. */
export type KeyCommand =
  | { name: 'copy' }
  /** The browser itself pastes: its `paste` event needs no permission. */
  | { name: 'browser' }
  | { name: 'search' }
  | { name: 'font'; change: 'larger' | 'smaller' | 'usual' }
  | { name: 'leave' }
  | { name: 'files' }
  | { name: 'new-tab' }
  | { name: 'step-tab'; step: 1 | -1 }
  | { name: 'pick-tab'; index: number };

/** The kinds of system whose keys differ. */
export type Platform = 'mac' | 'windows' | 'other';

/** The fields of a keyboard event that matter. */
export type Key = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'shiftKey' | 'altKey' | 'metaKey'>;

/** The command of a key pressed in the terminal, or `undefined` when the program gets it. */
export function keyCommand(key: Key, platform: Platform, selection: 'some' | 'none'): KeyCommand | undefined {
  const { ctrlKey: ctrl, shiftKey: shift, altKey: alt, metaKey: meta } = key;
  if (ctrl && !alt && !meta) return shift ? controlShift(key, platform) : control(key, platform, selection);
  if (meta && !ctrl && !alt && platform === 'mac') return command(key);
  if (shift && !ctrl && !alt && !meta && key.key === 'Insert') return { name: 'browser' };
  if (alt && !ctrl && !shift && !meta && platform !== 'mac' && /^Digit[1-9]$/.test(key.code)) {
    return { name: 'pick-tab', index: Number(key.code.slice(5)) - 1 };
  }
  return undefined;
}

function control(key: Key, platform: Platform, selection: 'some' | 'none'): KeyCommand | undefined {
  if (key.key === 'F6') return { name: 'leave' };
  if (key.key === 'Insert' && selection === 'some') return { name: 'copy' };
  if (platform === 'mac') return undefined;
  const size = fontChange(key);
  if (size !== undefined) return size;
  if (platform !== 'windows') return undefined;
  if (key.code === 'KeyC' && selection === 'some') return { name: 'copy' };
  return key.code === 'KeyV' ? { name: 'browser' } : undefined;
}

function controlShift(key: Key, platform: Platform): KeyCommand | undefined {
  switch (key.code) {
    case 'KeyC':
      return platform === 'mac' ? undefined : { name: 'copy' };
    case 'KeyV':
      return platform === 'mac' ? undefined : { name: 'browser' };
    case 'KeyF':
      return { name: 'search' };
    case 'KeyE':
      return { name: 'files' };
    case 'Escape':
      return { name: 'leave' };
    case 'Enter':
      return { name: 'new-tab' };
    case 'ArrowLeft':
      return { name: 'step-tab', step: -1 };
    case 'ArrowRight':
      return { name: 'step-tab', step: 1 };
    default:
      // `+` is Shift with another key on many keyboards.
      return platform !== 'mac' && key.key === '+' ? fontChange(key) : undefined;
  }
}

function command(key: Key): KeyCommand | undefined {
  if (key.code === 'KeyF' && !key.shiftKey) return { name: 'search' };
  return fontChange(key) ?? (['KeyC', 'KeyV', 'KeyA'].includes(key.code) ? { name: 'browser' } : undefined);
}

function fontChange(key: Key): KeyCommand | undefined {
  if (key.key === '+' || key.key === '=') return { name: 'font', change: 'larger' };
  if (key.key === '-') return { name: 'font', change: 'smaller' };
  return key.key === '0' ? { name: 'font', change: 'usual' } : undefined;
}

/** The system that the browser runs on, for its usual keys. */
export function platform(agent: string): Platform {
  if (/Mac|iPhone|iPad/.test(agent)) return 'mac';
  return /Windows/.test(agent) ? 'windows' : 'other';
}

/** A key of the bar that phones get; `sequence` is what it sends. */
export function arrow(direction: 'up' | 'down' | 'right' | 'left', cursorKeys: 'normal' | 'application'): string {
  const letter = { up: 'A', down: 'B', right: 'C', left: 'D' }[direction];
  return `\x1b${cursorKeys === 'application' ? 'O' : '['}${letter}`;
}

/** What typing `text` sends while Ctrl is held on the bar: `c` becomes 0x03. Other text stays as it is. */
export function withControl(text: string): string {
  return /^[a-zA-Z@[\]\\^_ ?]$/.test(text) ? String.fromCharCode(text === '?' ? 127 : text.charCodeAt(0) & 0x1f) : text;
}
