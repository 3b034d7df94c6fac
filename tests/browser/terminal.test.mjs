// The page in a real Chromium: type, see, reload, reconnect, resize, second tab, phone. Every test has its own visitor.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { stage, visit } = visits();

test('what is typed is run, and what it prints is seen', async () => {
  const page = await visit();
  await type(page, 'echo $((6 * 7)) is the answer');
  await shows(page, '42 is the answer');
  await page.screenshot({ path: 'shots/desktop.png' });
});

test('a reload shows the same screen, and the shell goes on', async () => {
  const page = await visit();
  await type(page, 'kept=here; echo before-$kept');
  await shows(page, 'before-here');
  await page.reload();
  await live(page);
  await shows(page, 'before-here');
  await type(page, 'echo after-$kept');
  await shows(page, 'after-here');
});

test('a killed server is waited for, and nothing is lost or doubled', async () => {
  const page = await visit();
  await type(page, 'kept=alive; for i in 1 2 3 4 5 6 7 8; do echo line-$i-; sleep 1; done');
  await shows(page, 'line-1-');
  await stage.tell('kill server');
  await page.locator('[data-testid=connection]:not([data-state=live])').waitFor();
  await page.screenshot({ path: 'shots/reconnecting.png' });
  await stage.tell('start server');
  await live(page);
  await shows(page, 'line-8-');
  const text = await page.evaluate(() => window.sandlotTerminal.text());
  for (let i = 1; i <= 8; i += 1) assert.equal(text.split(`line-${i}-`).length, 2, `line ${i} once in:\n${text}`);
  await type(page, 'echo still-$kept');
  await shows(page, 'still-alive');
});

test('the program learns the size of the window', async () => {
  const page = await visit();
  const printed = async (word) => {
    const pattern = `${word}-(\\d+)-(\\d+)-`;
    await page.waitForFunction((p) => new RegExp(p).test(window.sandlotTerminal.text()), pattern);
    const found = new RegExp(pattern).exec(await page.evaluate(() => window.sandlotTerminal.text()));
    return { rows: Number(found[1]), cols: Number(found[2]) };
  };
  await type(page, 'set -- $(stty size); echo large-$1-$2-');
  const large = await printed('large');
  await type(page, `until [ "$(stty size)" != "$1 $2" ]; do sleep 0.1; done; set -- $(stty size); echo small-$1-$2-`);
  await page.setViewportSize({ width: 800, height: 480 });
  const small = await printed('small');
  assert.ok(small.rows < large.rows || small.cols < large.cols, JSON.stringify({ large, small }));
});

test('a second tab is a second shell of the same session', async () => {
  const page = await visit();
  await type(page, 'echo shared > /tmp/note');
  await page.getByTestId('new-tab').click();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=tab]').length === 2);
  await live(page);
  await type(page, 'cat /tmp/note; echo shell-$$-');
  await shows(page, 'shared');
  await page.getByTestId('tab').first().click();
  await type(page, 'echo back');
  await shows(page, 'back');
});

test('a phone has the whole terminal, and the keys that its keyboard lacks', async () => {
  const page = await visit({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  await type(page, 'echo small-screen');
  await shows(page, 'small-screen');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `the page is ${wide} pixels wide`);
  assert.ok(await page.getByRole('toolbar', { name: 'Terminal keys' }).isVisible());
  await page.screenshot({ path: 'shots/phone.png' });
});

test('somebody else cannot see the session', async () => {
  const page = await visit();
  const other = await stage.browser.newContext();
  const stranger = await other.newPage();
  await stranger.goto(page.url());
  await stranger.locator('main').waitFor();
  assert.equal(await stranger.getByTestId('terminal').count(), 0);
  await other.close();
});
