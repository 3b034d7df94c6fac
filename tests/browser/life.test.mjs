// Promise: what becomes of a session is seen in its page: the limits it came against, what it used, work that is kept, a machine
// that begins anew, and a summary at the end. At a phone's width and in the dark as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { stage, visit: opened } = visits({ settings: ['--memory=64m', '--pool-count=2'] });

async function visit(options) {
  const page = await opened(options);
  await shows(page, '#');
  return page;
}

test('a limit that was reached is told quietly, and stays to be read', async () => {
  const page = await visit();
  await type(page, 'tail -c 200m /dev/zero');
  await page.getByTestId('notice').filter({ hasText: 'The memory of this session (64 MiB) was full' }).waitFor();
  await page.screenshot({ path: 'shots/limit-notice.png' });
  await page.getByTestId('limit-dot').waitFor();
  await page.getByTestId('machine').click();
  await page.getByTestId('limits').filter({ hasText: 'was full' }).waitFor();
  await page.getByTestId('used').filter({ hasText: 'Memory at most' }).waitFor();
  await audit(page, 'machine');
  await page.screenshot({ path: 'shots/machine.png' });
  await page.keyboard.press('Escape');
  assert.equal(await page.getByTestId('limit-dot').count(), 0, 'what was read is not new any more');
  // The terminal itself was left alone.
  const text = await page.evaluate(() => window.sandlotTerminal.text());
  assert.ok(!text.includes('The memory of this session'), text);
});

test('a network that is not there is told as well', async () => {
  const page = await visit();
  await type(page, 'nc -w 2 192.0.2.1 80; echo tri""ed');
  await page.getByTestId('notice').filter({ hasText: 'and this session has no network' }).waitFor();
  await page.getByTestId('machine').click();
  await page.getByTestId('limits').filter({ hasText: 'has no network' }).waitFor();
});

test('work is kept, listed, started from, and deleted; a reset leaves the terminals open', async () => {
  const page = await visit();
  await type(page, 'echo my-first-lesson > /root/lesson; ls /root');
  await shows(page, 'lesson');
  await page.getByTestId('machine').click();
  await page.getByTestId('keep').click();
  await page.getByTestId('keep-title').fill('Lesson one');
  await audit(page, 'keep');
  await page.screenshot({ path: 'shots/keep.png' });
  await page.getByTestId('keep-confirm').click();
  await page.getByTestId('notice').filter({ hasText: '“Lesson one” is kept' }).waitFor();
  await page.getByTestId('machine').click();
  await page.getByTestId('reset').click();
  await page.screenshot({ path: 'shots/reset.png' });
  await page.getByTestId('reset-confirm').click();
  await shows(page, 'This machine was reset');
  await type(page, 'ls /root/lesson; echo after-$((1 + 1))');
  await shows(page, 'No such file');
  await shows(page, 'after-2');
  await page.screenshot({ path: 'shots/after-reset.png' });
  await page.goto(stage.url);
  await page.getByTestId('kept-work').filter({ hasText: 'Lesson one' }).waitFor();
  await audit(page, 'kept');
  await page.screenshot({ path: 'shots/kept.png' });
  await page.getByTestId('start-kept').click();
  await live(page);
  await type(page, 'cat /root/lesson');
  await shows(page, 'my-first-lesson');
  // It cannot be deleted while a session runs from it; then it can.
  await page.getByTestId('settings').click();
  await page.getByTestId('end').click();
  await page.getByTestId('end-confirm').click();
  await page.getByTestId('ended').waitFor();
  await page.goto(stage.url);
  await page.getByTestId('forget').click();
  await page.getByTestId('forget').click();
  await page.getByTestId('kept-work').waitFor({ state: 'detached' });
});

test('the end has a summary, on a phone and in the dark', async () => {
  const page = await visit({ viewport: { width: 390, height: 780 }, colorScheme: 'dark', hasTouch: true });
  await type(page, 'head -c 5m /dev/urandom > /tmp/x; echo do""ne');
  await shows(page, 'done');
  await page.getByTestId('machine').click();
  await page.getByTestId('used').waitFor();
  await audit(page, 'machine-phone');
  await page.screenshot({ path: 'shots/machine-phone.png' });
  await page.keyboard.press('Escape');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(wide, false, 'the page is wider than the phone');
  await page.getByTestId('settings').click();
  await page.getByTestId('end').click();
  await page.getByTestId('end-confirm').click();
  await page.getByTestId('ended').waitFor();
  await page.getByTestId('used').filter({ hasText: 'Processor' }).waitFor();
  await audit(page, 'ended-phone');
  await page.screenshot({ path: 'shots/ended-phone.png' });
});
