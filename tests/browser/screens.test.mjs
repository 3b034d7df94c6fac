// Promise: what a full-screen program has drawn looks the same after a reload, and it goes on as if nothing had been.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { visit: opened } = visits();

/** The picture of the terminal, and its text. */
async function seen(page) {
  const place = page.locator('[data-testid=terminal] .xterm-screen');
  return { text: await page.evaluate(() => window.sandlotTerminal.text()), shot: await place.screenshot() };
}

/** What is seen once it has stayed the same for a while: after another size a program draws anew. */
async function settled(page) {
  let [before, same] = [await seen(page), 0];
  while (same < 6) {
    await page.waitForTimeout(100);
    const next = await seen(page);
    same = next.shot.equals(before.shot) ? same + 1 : 0;
    before = next;
  }
  return before;
}

/** The same before and after a reload; another size on the way makes the server write its screen down. */
async function reloaded(page, name) {
  await page.setViewportSize({ width: 1100, height: 700 });
  const before = await settled(page);
  await page.reload();
  await live(page);
  await page.locator('[data-testid=terminal] textarea').focus();
  const after = await settled(page);
  // What is above the screen depends on how often the window changed on the way.
  const screen = ({ text }) => text.split('\n').slice(-20);
  assert.deepEqual(screen(after), screen(before), name);
  await page.screenshot({ path: `shots/${name}-after.png` });
  assert.ok(after.shot.equals(before.shot), `${name} looks different after the reload`);
}

/** Cursors blink: a still one can be compared. */
async function visit() {
  const page = await opened({ reducedMotion: 'reduce' });
  return page;
}

test('an editor', async () => {
  const page = await visit();
  await type(page, `for i in $(seq 1 60); do printf '%s: \\033[3%dmréd 漢字 e\\314\\201\\n' $i $((i % 8)); done > /tmp/text; vi /tmp/text`);
  // What vi itself says: what is typed before it listens is the shell's.
  await shows(page, '1/60');
  await page.keyboard.type('10G');
  await page.keyboard.type('iwords that are new');
  await page.keyboard.press('Escape');
  await shows(page, 'words that are new');
  await reloaded(page, 'vi');
  await page.keyboard.type('Aand more');
  await page.keyboard.press('Escape');
  await shows(page, 'and more');
  await page.keyboard.type(':q!\n');
  await type(page, 'echo back-$((6 * 7))');
  await shows(page, 'back-42');
});

test('a pager', async () => {
  const page = await visit();
  await type(page, 'seq 1 500 > /tmp/numbers; less /tmp/numbers');
  await page.keyboard.type('   ');
  await shows(page, '120');
  await reloaded(page, 'less');
  await page.keyboard.type('G');
  await shows(page, '500');
  await page.keyboard.type('q');
  await type(page, 'echo back-$((6 * 7))');
  await shows(page, 'back-42');
});

test('a monitor that draws all the time', async () => {
  const page = await visit();
  await type(page, 'top -d 60');
  await shows(page, 'PID');
  await reloaded(page, 'top');
  await page.keyboard.type('q');
  await type(page, 'echo back-$((6 * 7))');
  await shows(page, 'back-42');
});
