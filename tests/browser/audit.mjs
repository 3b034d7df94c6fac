// What axe-core has to say about a page, by day, by night and on a phone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1200, height: 760 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1200, height: 760 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 780 } },
];

/** Photographs the page in every look, and asserts that axe finds nothing and that nothing is wider than the window. */
export async function audit(page, state) {
  const found = [];
  for (const look of LOOKS) {
    await page.setViewportSize(look.viewport);
    await page.emulateMedia({ colorScheme: look.colorScheme, reducedMotion: 'reduce' });
    await page.waitForFunction((scheme) => document.documentElement.dataset.theme === scheme, look.colorScheme);
    // Colours may be on their way from one theme to the other; the player's own movements never end.
    await page.waitForFunction(() =>
      document.getAnimations().every(({ playState, effect }) =>
        playState === 'finished' ||
        effect.getComputedTiming().endTime === Infinity ||
        effect.target?.closest('[data-testid=player]') != null));
    await page.screenshot({ path: `shots/${state}-${look.name}.png` });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, help, nodes } of violations) {
      const places = nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`);
      found.push(`${state}, ${look.name}: ${id}: ${help}\n  ${places.join('\n  ')}`);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > look.viewport.width) found.push(`${state}, ${look.name}: ${wide} pixels wide`);
    const clash = await page.evaluate(overlapping);
    if (clash.length > 0) found.push(`${state}, ${look.name}: one over the other: ${clash.join('; ')}`);
  }
  await page.setViewportSize(LOOKS[0].viewport);
  assert.deepEqual(found, []);
}

/** Pairs of the header's parts of which one is drawn over the other. Runs in the page. */
function overlapping() {
  const parts = [...document.querySelectorAll('header [role=meter] .text, header .mark, header .connection .words, header .lease')]
    .map((part) => ({ name: part.className, box: part.getBoundingClientRect(), shown: getComputedStyle(part).clipPath === 'none' }))
    .filter(({ box, shown }) => shown && box.width > 0);
  const clash = [];
  parts.forEach((one, at) => parts.slice(at + 1).forEach((other) => {
    const [a, b] = [one.box, other.box];
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) clash.push(`${one.name} and ${other.name}`);
  }));
  return clash;
}
