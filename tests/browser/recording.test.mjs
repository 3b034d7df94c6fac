// Promise: a visitor is told that a terminal is recorded, finds what it showed, and watches it from that moment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { stage, visit, stranger } = visits({ settings: ['--recording=on'] });

test('the sign, the marker, the search and the player', async () => {
  const page = await visit();
  const sign = page.getByTestId('recorded');
  await sign.waitFor();
  assert.equal((await sign.innerText()).trim(), 'Recorded');
  await type(page, 'echo a-needle-$((40+2)) in the hay');
  await shows(page, 'a-needle-42');
  await sign.click();
  await page.getByText('What you type is not recorded').waitFor();
  await audit(page, 'recorded');
  await page.getByLabel('Mark this moment').fill('the first step');
  await page.getByRole('button', { name: 'Mark', exact: true }).click();
  await page.getByText('This moment is marked').waitFor();
  await type(page, 'clear; echo the-end-$((40+2))');
  await shows(page, 'the-end-42');

  await page.goto(`${stage.url}/recordings`);
  await page.getByTestId('recording').waitFor();
  await audit(page, 'recordings');
  const line = page.getByTestId('found').getByText('a-needle-42 in the hay', { exact: true });
  for (let round = 0; round < 100 && (await line.count()) === 0; round += 1) {
    await page.getByRole('searchbox').fill('');
    await page.getByRole('searchbox').fill('NEEDLE-42 in');
    await page.waitForTimeout(300);
  }
  await line.waitFor();
  await audit(page, 'found');
  await line.click();
  await page.waitForURL('**/recordings/*/*/*');
  await page.getByTestId('player').locator('.ap-player').waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid=player] .ap-term')?.textContent.length > 0);
  await page.screenshot({ path: 'shots/playback-desktop.png' });
  const marker = page.getByRole('button', { name: 'the first step' });
  await marker.waitFor();
  await marker.click();
  await page.getByLabel('Speed').selectOption('4');
  await page.getByLabel('Pauses').selectOption('0.5');
  await page.getByTestId('player').locator('.ap-player').click();
  await audit(page, 'playback');
  for (const [name, width, colorScheme] of [['dark', 1200, 'dark'], ['phone', 390, 'light']]) {
    await page.setViewportSize({ width, height: 780 });
    await page.emulateMedia({ colorScheme });
    await page.waitForFunction((scheme) => document.documentElement.dataset.theme === scheme, colorScheme);
    await page.screenshot({ path: `shots/playback-${name}.png` });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `the page is ${wide} pixels wide`);
  }
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  assert.match(download.suggestedFilename(), /\.cast$/);

  const other = await stranger(page.url());
  await other.getByText('it is not yours').waitFor();
});
