// Promise: a viewer that joins at any moment comes to the state of one who saw everything, and stays with it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import unicode11 from '@xterm/addon-unicode11';
import { random, stream } from './streams.mjs';
import { continued, Viewer } from './viewer.mjs';

const SIZE = { cols: 24, rows: 8 };
const CASES = Number(process.env.SANDLOT_CASES ?? 1500);

let server;
let answers;

before(() => {
  server = spawn(process.env.SANDLOT_REPLAY, { stdio: ['pipe', 'pipe', 'inherit'] });
  answers = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
});
after(() => server.stdin.end());

/** What the server sends to one who joins after these steps. */
async function replay(size, steps) {
  const told = steps.map((step) => (Buffer.isBuffer(step) ? { feed: step.toString('hex') } : step));
  server.stdin.write(`${JSON.stringify({ ...size, steps: told })}\n`);
  return Buffer.from((await answers.next()).value, 'hex');
}

/** Both viewers' states after a stream that was cut so many bytes before the end of a piece. */
async function states(pieces, at, tail, early = 0, size = SIZE) {
  const [whole, late] = [new Viewer(size), new Viewer(size)];
  const stream = Buffer.from(pieces.join('') + tail);
  const cut = Math.max(0, Buffer.byteLength(pieces.slice(0, at).join('')) - early);
  await whole.write(stream.subarray(0, cut));
  await late.write(await replay(size, [stream.subarray(0, cut)]));
  const joined = [whole.state(), late.state()];
  await whole.write(stream.subarray(cut));
  await late.write(stream.subarray(cut));
  return { joined, end: [whole.state(), late.state()], viewers: [whole, late] };
}

async function differs(pieces, at, tail, early) {
  const { joined, end } = await states(pieces, at, tail, early);
  for (const [one, other] of [joined, end]) {
    try {
      assert.deepEqual(other, one);
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

/** The shortest stream found that still differs. */
async function shrunk(pieces, at, tail, early) {
  for (let n = 0; n < pieces.length; ) {
    const fewer = pieces.toSpliced(n, 1);
    const cut = n < at ? at - 1 : at;
    if (await differs(fewer, cut, tail, early)) [pieces, at] = [fewer, cut];
    else n += 1;
  }
  return { pieces, at };
}

test('random streams, cut at random places', async () => {
  const failures = [];
  for (let seed = Number(process.env.SANDLOT_SEED ?? 1); seed <= CASES; seed += 1) {
    const chance = random(seed * 7919);
    const pieces = stream(seed, SIZE, 5 + chance.below(80));
    const at = chance.below(pieces.length + 1);
    // What shows the state that cannot be seen: the saved cursor, the region, tab stops, the character set.
    const tail = chance.pick(['', 'qx\t.', '\x1b8q', '\x1b[?1049lq', '\n\n\n\n\n\n\n\n\n.', 'x'.repeat(30)]);
    const early = chance.below(4);
    if ((await differs(pieces, at, tail, early)) === undefined) continue;
    const small = await shrunk(pieces, at, tail, early);
    const error = await differs(small.pieces, small.at, tail, early);
    failures.push(`seed ${seed}, ${early} bytes early: ${JSON.stringify(small.pieces.slice(0, small.at))} | ${JSON.stringify([...small.pieces.slice(small.at), tail])}\n${error.message}`);
    if (failures.length >= Number(process.env.SANDLOT_SHOW ?? 1)) break;
  }
  assert.equal(failures.length, 0, failures.join('\n\n'));
});

test('a thousand lines above the screen, in colour and wide', async () => {
  const size = { cols: 80, rows: 24 };
  const lines = Array.from({ length: 1500 }, (_, n) => `\x1b[3${n % 8}mline ${n}\x1b[0m 漢字 e\u0301 ${'x'.repeat(n % 120)}\r\n`);
  const { joined, end, viewers } = await states(lines, 1450, 'end', 0, size);
  for (const [one, other] of [joined, end]) {
    const [all, late] = [one.normal, other.normal].map((lines) => lines.slice(-1000));
    assert.equal(late.length, 1000);
    assert.deepEqual(late, all);
  }
  const [whole, late] = viewers.map((viewer) => continued(viewer, 1000));
  assert.ok(whole.some((wrapped) => wrapped));
  assert.deepEqual(late, whole);
});

test('another size, as shells and editors are resized', async () => {
  const [wide, narrow] = [{ cols: 60, rows: 10 }, { cols: 37, rows: 14 }];
  const long = Array.from({ length: 8 }, (_, n) => `${n} ${'word '.repeat(5 + n * 3)}漢字\r\n`).join('');
  for (const text of ['$ ls\r\na b c\r\n$ ', `${long}$ `, `${long}\x1b[?1049h\x1b[2;3Hvim`]) {
    for (const [from, to] of [[wide, narrow], [narrow, wide]]) {
      const [whole, late] = [new Viewer(from), new Viewer(to)];
      await whole.write(text);
      whole.resize(to);
      await late.write(await replay(from, [Buffer.from(text), to]));
      const shown = ({ normal, alternate, cursor }) => ({ normal: (alternate ?? normal).filter((line) => line !== ''), cursor });
      assert.deepEqual(shown(late.state()).normal, shown(whole.state()).normal, JSON.stringify({ text, from, to }));
    }
  }
});

test('every character is as wide as the page draws it', async () => {
  let provider;
  new unicode11.Unicode11Addon().activate({ unicode: { register: (made) => (provider = made) } });
  const odd = [];
  for (let block = 0; block < 0x20000; block += 0x1000) {
    const all = Array.from({ length: 0x1000 }, (_, n) => block + n).filter((c) => c >= 0xa0 && (c < 0xd800 || c > 0xdfff) && c !== 0xfeff);
    // Each on a line of its own, between two bars: how far the second one stands is its width.
    const size = { cols: 6, rows: 1000 };
    for (let from = 0; from < all.length; from += 1000) {
      const part = all.slice(from, from + 1000);
      const late = new Viewer(size);
      await late.write(await replay(size, [Buffer.from(part.map((c) => `${String.fromCodePoint(c)}|`).join('\r\n'))]));
      const buffer = late.terminal.buffer.active;
      part.forEach((c, row) => {
        const line = buffer.getLine(row);
        const at = [0, 1, 2, 3].find((column) => line.getCell(column).getChars() === '|');
        if (at !== Math.max(1, provider.wcwidth(c))) odd.push(c.toString(16));
      });
    }
  }
  assert.deepEqual(odd, []);
});
