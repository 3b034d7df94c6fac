// Random streams as programs print them, by a seed that gives them back.

/** Random numbers from a seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, pick: (all) => all[below(all.length)] };
}

const WORDS = ['ls -l', 'total 36', 'x', '    ', 'drwxr-xr-x', 'the quick brown fox jumps', '$ ', '=', '\t', '~'];
const WIDE = ['漢字', 'あ', '한글', 'Ａ', '🙂', '中文測試'];
const COMBINED = ['e\u0301', 'n\u0303', 'a\u0308\u0301', 'ก\u0e34', 'x\u20dd', '漢\u0301'];
// `CSI 1 J` not at the screen's last place: xterm.js 6.0.0 throws there.
const PLAIN = [
  '\r\n', '\r\n', '\r\n', '\n', '\r', '\b', '\x1b[0m', '\x1b[m', '\x1b[1m', '\x1b[2m', '\x1b[3m', '\x1b[4m', '\x1b[7m', '\x1b[9m',
  '\x1b[22m', '\x1b[24m', '\x1b[27m', '\x1b[39m', '\x1b[49m',
  '\x1b[2J', '\x1b[J', '\x1b[3;3H\x1b[1J', '\x1b[K', '\x1b[1K', '\x1b[2K', '\x1b[L', '\x1b[3M', '\x1b[2P', '\x1b[3@', '\x1b[4X',
  '\x1b[H', '\x1b[A', '\x1b[2B', '\x1b[3C', '\x1b[D', '\x1bM', '\x1bD', '\x1bE', '\x1b[2S', '\x1b[T', '\x1b7', '\x1b8', '\x1b[5b',
  '\x1b[?25l', '\x1b[?25h', '\x1b[?7lthe end of a line that is cut off\x1b[?7h', '\x1b[?7l', '\x1b[?7h', '\x1b[4hab漢\x1b[4l', '\x1b[?6h', '\x1b[?6l', '\x1b[?1h', '\x1b[?1l',
  '\x1b[?1049h', '\x1b[?1049l', '\x1b[?2004h', '\x1b[?2004l', '\x1b[?1000h', '\x1b[?1006h', '\x1b[?1000l', '\x1b[?1002h', '\x1b[?1002l', '\x1b[?1004h',
  '\x1b(0', '\x1b(B', '\x1b=', '\x1b>', '\x1b[2;5r', '\x1b[3;6r', '\x1b[r', '\x1bH', '\x1b[g', '\x1b[3g', '\x1b[!p', '\x1b[?1047h', '\x1b[?1047l', '\x1b[s', '\x1b[u',
  '\x1b[8m', '\x1b[4:3m', '\x1b[21m', '\x1b[53m', '\x1b[5m', '\x1b[2;5H', '\x1b[3d', '\x1b[7G', '\x1b[2E', '\x1b[F', '\x1b[Z', '\x1b[2I', '\x0e', '\x0f', '\x1b)0', '\x1b)B',
  '\x1b[3J', '\x1bc', '\x1b[?6l\x1b#8', '\x1b[20h', '\x1b[20l', '\x1b[?45h', '\x1b[?45l', '\x1b[?1048h', '\x1b[?1048l', '\x1b[?47h', '\x1b[?47l', '\x84', '\x85', '\x9b2C', '\x1b[38:2::1:2:3m', '\x1b[48:5:9m', '\x1b[2e', '\x1b[?J', '\x1b]2;a title\x07',
];

/** One piece of a stream. */
export function piece({ below, pick }, { cols, rows }) {
  switch (below(12)) {
    case 0:
    case 1:
    case 2:
      return pick(WORDS);
    case 3:
      return pick(WIDE);
    case 4:
      return pick(COMBINED);
    case 5:
      return `\x1b[${1 + below(rows + 1)};${1 + below(cols + 1)}H`;
    case 6:
      return `\x1b[${pick([3, 4, 9, 10])}${below(8)}m`;
    case 7:
      return `\x1b[${pick([38, 48])};5;${below(256)}m`;
    case 8:
      return `\x1b[${pick([38, 48])};2;${below(256)};${below(256)};${below(256)}m`;
    case 9:
      return `\x1b]${pick([0, 2])};title ${below(99)}${pick(['\x07', '\x1b\\'])}`;
    default:
      return pick(PLAIN);
  }
}

/** A stream of so many pieces: nothing that is no sequence at all, where emulators may differ. */
export function stream(seed, size, pieces) {
  const chance = random(seed);
  return Array.from({ length: pieces }, () => piece(chance, size));
}
