// Promise: the terminal is drawn by WebGL where that can be had, sharply on screens of many pixels, and by the DOM elsewhere.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { open, shows, start, type, WEBGL } from './stage.mjs';

const stages = [];

/** The system, and a browser whose screen has so many device pixels a pixel. */
async function screen(ratio) {
  const stage = await open({ flags: [...WEBGL, `--force-device-scale-factor=${ratio}`, '--window-size=1200,760'] });
  stages.push(stage);
  return stage;
}

after(() => Promise.all(stages.map((stage) => stage.close())));

/** Pixels of the terminal's canvases, and whether one of them is WebGL's. */
const canvases = (page) =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll('[data-testid=terminal] canvas')];
    const webgl = all.filter((canvas) => canvas.getContext('webgl2') !== null);
    const { width, height } = document.querySelector('.xterm-screen').getBoundingClientRect();
    return { webgl: webgl.map((canvas) => canvas.width), width, height };
  });

for (const ratio of [1, 2]) {
  test(`WebGL draws with ${ratio} device pixels a pixel`, async () => {
    // Playwright emulates pixels where a viewport is given; here they are the browser's own.
    const page = await start(await screen(ratio), 'Starter', { viewport: null });
    assert.equal(await page.evaluate(() => devicePixelRatio), ratio);
    await page.waitForFunction(() => document.querySelector('[data-testid=terminal] canvas') !== null);
    await type(page, `printf '\\033[41m%60s\\033[0m\\n' ''; echo drawn-$((6 * 7)) 漢字 é ░▒▓ ┌─┐`);
    await shows(page, 'drawn-42');
    const { webgl, width } = await canvases(page);
    assert.equal(webgl.length, 1, 'no canvas of WebGL');
    assert.ok(Math.abs(webgl[0] - width * ratio) <= ratio, `${webgl[0]} for ${width}`);
    const shot = await page.screenshot({ path: `shots/webgl-${ratio}x.png` });
    // The red bar that was printed is in the picture: something was really drawn.
    const red = await page.evaluate(async (picture) => {
      const image = new Image();
      image.src = `data:image/png;base64,${picture}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > 150 && data[at + 1] < 100 && data[at + 2] < 100) count += 1;
      return count;
    }, shot.toString('base64'));
    assert.ok(red > 3000 * ratio ** 2, `${red} red pixels`);
    await page.context().close();
  });
}

test('a lost WebGL context leaves a terminal that still draws', async () => {
  const page = await start(await screen(1), 'Starter');
  await page.waitForFunction(() => document.querySelector('[data-testid=terminal] canvas') !== null);
  await page.evaluate(() => {
    const all = [...document.querySelectorAll('[data-testid=terminal] canvas')];
    const context = all.map((canvas) => canvas.getContext('webgl2')).find((found) => found !== null);
    context.getExtension('WEBGL_lose_context').loseContext();
  });
  await page.locator('[data-testid=terminal] .xterm-rows').waitFor();
  await type(page, 'echo after-$((6 * 7))');
  await page.locator('.xterm-rows').getByText('after-42').first().waitFor();
  await page.context().close();
});
