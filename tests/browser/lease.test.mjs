// Promise: a visitor sees the end of a session coming, has more time at a click as often as is allowed, and afterwards reads why
// it ended, watches its recording and starts from what was kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { visit: opened } = visits({
  settings: ['--lifetime=72s', '--extend=262s', '--extensions=1', '--recording=on', '--sessions-per-visitor=1'],
});

async function visit() {
  const page = await opened();
  await shows(page, '#');
  return page;
}

test('the last minutes are told over the terminal and in the bar, and more is had at a click', async () => {
  const page = await visit();
  await page.getByTestId('notice').filter({ hasText: 'This session ends in 1 min: extend it' }).waitFor();
  assert.match(await page.locator('.lease').getAttribute('class'), /now/);
  await audit(page, 'last-minute');
  await page.getByTestId('extend').click();
  await page.getByTestId('notice').filter({ hasText: 'This session ends in 5 min: save what you need' }).waitFor();
  assert.match(await page.locator('.lease').getAttribute('class'), /soon/);
  assert.ok(await page.getByTestId('extend').isDisabled());
  // The terminal itself was left alone.
  assert.ok(!(await page.evaluate(() => window.sandlotTerminal.text())).includes('This session ends'));
});

test('an end by itself says why, and leads to the recording and to what was kept', async () => {
  const page = await visit();
  await type(page, 'echo my-work > /root/work; echo sa""ved');
  await shows(page, 'saved');
  await page.getByTestId('machine').click();
  await page.getByTestId('keep').click();
  await page.getByTestId('keep-title').fill('My work');
  await page.getByTestId('keep-confirm').click();
  await page.getByTestId('notice').filter({ hasText: '“My work” is kept' }).waitFor();
  await page.getByTestId('ended').waitFor({ timeout: 90_000 });
  await page.getByText('The session’s time is over').or(page.getByText("The session's time is over")).waitFor();
  await page.getByTestId('left-kept').filter({ hasText: 'My work' }).waitFor();
  await audit(page, 'ended-with-what-is-left');
  // The same after the page was loaded again.
  await page.reload();
  await page.getByTestId('left-recording').click();
  await page.waitForURL('**/recordings/*/*');
  await page.getByTestId('player').locator('.ap-player').waitFor();
  await page.goBack();
  await page.getByTestId('left-kept').getByRole('button', { name: 'Start from it' }).click();
  await live(page);
  await type(page, 'cat /root/work');
  await shows(page, 'my-work');
});
