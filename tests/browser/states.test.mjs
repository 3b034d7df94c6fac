// Promise: every state of the page has its words, can be used by everybody (axe finds nothing), and leads on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

// One visitor with a terminal is `busy`: all places are taken.
const { stage, visit: busy, stranger } = visits({
  settings: ['--sessions=1', '--idle=4m', '--sessions-per-visitor=2'],
  // Whatever a visitor still has gives its place back.
  leave: (page) =>
    page.evaluate(async () => {
      const all = await (await fetch('/api/v1/sessions')).json();
      await Promise.all(all.map(({ id }) => fetch(`/api/v1/sessions/${id}`, { method: 'DELETE' })));
    }),
});

/** Another visitor's page. */
const visitor = () => stranger(stage.url);

/** What is seen while there is no server. */
async function without(part, look) {
  await stage.tell(`kill ${part}`);
  try {
    await look();
  } finally {
    await stage.tell(`start ${part}`);
  }
}

const click = (page, name) => page.getByRole('button', { name, exact: true }).click();

test('the catalogue, with a session that still runs', async () => {
  const page = await busy();
  await page.goto(stage.url);
  await page.getByText('Still running').waitFor();
  await audit(page, 'catalogue');
});

test('a queue that tells the place as it changes, can be left, and ends in a terminal by itself', async () => {
  const first = await busy();
  const [second, third] = [await visitor(), await visitor()];
  await click(second, 'Start Starter');
  await second.getByRole('heading', { name: 'You are next' }).waitFor();
  await click(third, 'Start Starter');
  await third.getByRole('heading', { name: 'You are number 2 in the queue' }).waitFor();
  await audit(third, 'queue');
  const asked = [];
  third.on('request', (request) => asked.push(request.url()));
  await click(second, 'Leave the queue');
  await second.getByRole('heading', { name: 'Images' }).waitFor();
  await third.getByRole('heading', { name: 'You are next' }).waitFor();
  assert.deepEqual(asked, [], 'the place came without asking');
  await first.evaluate(() => fetch(`/api/v1${location.pathname.replace('/s/', '/sessions/')}`, { method: 'DELETE' }));
  await live(third);
  await type(third, 'echo at-$((6 * 7))');
  await shows(third, 'at-42');
});

test('a start that takes its time', async () => {
  const page = await visitor();
  let go;
  const held = new Promise((resolve) => (go = resolve));
  await page.route('**/api/v1/sessions', async (route) => {
    if (route.request().method() === 'POST') await held;
    await route.continue();
  });
  await click(page, 'Start Starter');
  await page.getByTestId('starting').waitFor();
  await audit(page, 'starting');
  go();
  await live(page);
});

test('a terminal, its settings, its search, and what is left of both its times', async () => {
  const page = await busy();
  await type(page, 'cat /etc/motd; ls -l / | head -n 12; echo listed');
  await shows(page, 'listed\n');
  await page.getByTestId('idle-left').waitFor();
  assert.match(await page.getByTestId('idle-left').textContent(), /[34]:\d\d/);
  assert.match(await page.getByTestId('time-left').textContent(), /[34]:\d\d h/);
  await audit(page, 'terminal');
  await page.getByTestId('settings').click();
  await audit(page, 'settings');
  await click(page, 'Find in this terminal');
  await page.getByRole('search').getByRole('textbox').fill('root');
  await audit(page, 'search');
});

test('a visitor whose clock is wrong sees the right time left', async () => {
  const page = await busy();
  const minutes = async () => {
    const [, hours, rest] = /(\d+):(\d\d) h/.exec(await page.getByTestId('time-left').textContent());
    return hours * 60 + Number(rest);
  };
  const right = await minutes();
  await page.addInitScript(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 5 * 3600e3;
  });
  await page.reload();
  await live(page);
  assert.ok(right - (await minutes()) < 3, `${right} minutes, then ${await minutes()}`);
});

test('a connection that is away keeps what is typed, says so, and sends it', async () => {
  const page = await busy();
  await type(page, 'echo here');
  await shows(page, 'here');
  await without('server', async () => {
    await page.locator('[data-testid=connection]:not([data-state=live])').waitFor();
    await type(page, 'echo typed-$((40 + 2))-away');
    await page.getByTestId('kept').waitFor();
    await audit(page, 'reconnecting');
  });
  await live(page);
  await shows(page, 'typed-42-away');
  assert.equal(await page.getByTestId('kept').count(), 0);
});

test('more than is kept is refused in words', async () => {
  const page = await busy();
  await without('server', async () => {
    await page.locator('[data-testid=connection]:not([data-state=live])').waitFor();
    await page.locator('[data-testid=terminal] textarea').focus();
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.setData('text/plain', 'x'.repeat(20_000));
      document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
    });
    await page.getByText('That was not sent').waitFor();
    await page.screenshot({ path: 'shots/refused.png' });
  });
  await live(page);
});

test('an error: no such session, no such page, no server', async () => {
  const page = await visitor();
  await page.goto(`${stage.url}/s/nothing`);
  await page.getByTestId('error').waitFor();
  await audit(page, 'no-session');
  await page.goto(`${stage.url}/`);
  await page.getByTestId('image-card').waitFor();
  await without('server', async () => {
    await click(page, 'Start Starter');
    await page.getByTestId('error').waitFor();
    await audit(page, 'no-server');
  });
  await click(page, 'Try again');
  await live(page);
});

test('an end that says why and leads to the next session', async () => {
  const page = await busy();
  await page.getByTestId('settings').click();
  await page.getByTestId('end').click();
  await audit(page, 'ask-end');
  await page.getByTestId('end-confirm').click();
  await page.getByTestId('ended').waitFor();
  await audit(page, 'ended');
  await page.getByTestId('start-again').click();
  await live(page);
});

test('the licences of what the page is made of', async () => {
  const page = await visitor();
  const [address] = await page.locator('footer a').evaluateAll((links) => links.map((link) => link.href));
  const text = await (await page.request.get(address)).text();
  for (const part of ['@xterm/xterm 6', '@xterm/addon-webgl', 'js-base64', 'svelte 5', 'Copyright', 'Permission is hereby granted'])
    assert.ok(text.includes(part), `${part} is not named`);
});
