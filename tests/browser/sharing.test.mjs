// Promise: a session can be shared by link, looked at by several, pasted into with care, and what programs write to the
// clipboard reaches only who meant it. Every dialog can be used by everybody.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { live, shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { visit, stranger: guest } = visits();

/** A link that the owner makes in the page's dialog. */
async function link(page, label) {
  await page.getByTestId('share').click();
  const dialog = page.getByTestId('share-dialog');
  await dialog.getByText(label, { exact: true }).first().click();
  await dialog.getByTestId('make-link').click();
  await dialog.getByTestId('link').waitFor();
  return dialog.getByTestId('link').inputValue();
}

/** Columns and rows of the terminal as the page draws it. */
const drawn = (page) =>
  page.evaluate(() => {
    const screen = document.querySelector('[data-testid=terminal] .xterm-screen').getBoundingClientRect();
    const place = document.querySelector('[data-testid=terminal] .host').getBoundingClientRect();
    return { fits: screen.width <= place.width + 1 && screen.height <= place.height + 1, width: screen.width };
  });

/** Pastes as the browser does. */
const paste = (page, text) =>
  page.evaluate((pasted) => {
    const data = new DataTransfer();
    data.setData('text/plain', pasted);
    const area = document.querySelector('[data-testid=terminal] textarea');
    area.focus();
    area.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, text);

test('one looks on, at the size of who types, and is let go when the link is revoked', async () => {
  const owner = await visit();
  await type(owner, 'echo before-the-guest');
  await shows(owner, 'before-the-guest');
  const url = await link(owner, 'look on');
  await audit(owner, 'share');
  await owner.keyboard.press('Escape');
  await owner.getByTestId('share-dialog').waitFor({ state: 'detached' });

  const looks = await guest(url, { viewport: { width: 700, height: 420 } });
  await live(looks);
  await shows(looks, 'before-the-guest');
  assert.ok(!looks.url().includes(new URL(url).pathname), 'the token stays in the address');
  await looks.getByText('View only.').waitFor();
  assert.equal(await looks.getByTestId('share').count(), 0);
  await looks.locator('[data-testid=terminal] textarea').focus();
  await looks.keyboard.type('echo forbidden\n');
  await type(owner, 'echo size-$(stty size | tr " " x)-');
  const size = /size-(\d+x\d+)-/;
  for (const page of [owner, looks]) {
    await page.waitForFunction((pattern) => new RegExp(pattern).test(window.sandlotTerminal.text()), size.source);
  }
  const [mine, theirs] = await Promise.all(
    [owner, looks].map(async (page) => size.exec(await page.evaluate(() => window.sandlotTerminal.text()))[1]),
  );
  assert.equal(theirs, mine);
  assert.ok((await drawn(looks)).fits, 'the guest sees a part only');
  assert.ok(!(await owner.evaluate(() => window.sandlotTerminal.text())).includes('forbidden'));
  await looks.screenshot({ path: 'shots/guest-view.png' });

  await owner.getByTestId('people').click();
  await owner.getByText('Guest 1').waitFor();
  await owner.screenshot({ path: 'shots/people.png' });
  await audit(owner, 'people');
  await owner.keyboard.press('Escape');

  await owner.getByTestId('share').click();
  const row = owner.getByTestId('share-link');
  await row.getByText('Guest 1').waitFor();
  await row.getByRole('button', { name: 'Revoke' }).click();
  await row.getByRole('button', { name: 'Really?' }).click();
  await looks.getByText('revoked').waitFor();
  await looks.screenshot({ path: 'shots/revoked.png' });
  const late = await guest(url);
  await late.getByText('This link is not valid any more').waitFor();
});

test('who looks on reads files and changes none, who may type writes them', async () => {
  const owner = await visit();
  await type(owner, 'echo words-of-the-owner > notes; busybox httpd -p 8000 -h /root; echo made');
  await shows(owner, 'made');
  const looks = await guest(await link(owner, 'look on'));
  await owner.keyboard.press('Escape');
  const types = await guest(await link(owner, 'type as well'));
  await owner.keyboard.press('Escape');
  const row = (page) => page.locator('[role=treeitem][data-path="/root/notes"]');
  for (const page of [looks, types]) {
    await live(page);
    await page.getByTestId('open-files').click();
    await row(page).click();
    await page.locator('.cm-content').filter({ hasText: 'words-of-the-owner' }).waitFor();
  }
  const panel = looks.getByTestId('files');
  await panel.getByText('You are looking on').waitFor();
  for (const name of ['Upload', 'New file', 'Rename', 'Delete', 'Save'])
    assert.equal(await panel.getByRole('button', { name, exact: true }).count(), 0, name);
  await looks.locator('.cm-content').click();
  await looks.keyboard.type('forbidden');
  await looks.keyboard.press('Control+s');
  await row(looks).press('Delete');
  assert.ok(!(await looks.locator('.cm-content').innerText()).includes('forbidden'));
  await audit(looks, 'guest-files');
  await types.locator('.cm-content').click();
  await types.keyboard.press('Control+Home');
  await types.keyboard.type('and-of-the-guest ');
  await types.keyboard.press('Control+s');
  // What one wrote the other sees.
  await looks.locator('.cm-content').filter({ hasText: 'and-of-the-guest words-of-the-owner' }).waitFor();
  await looks.getByTestId('ports').click();
  const [preview] = await Promise.all([
    looks.context().waitForEvent('page'),
    looks.getByRole('link', { name: 'Open port 8000' }).click(),
  ]);
  await preview.goto(new URL('/notes', preview.url()).href);
  await preview.getByText('and-of-the-guest').waitFor();
});

test('who may type types, asks for their own size, and gives it back', async () => {
  const owner = await visit();
  const url = await link(owner, 'type as well');
  await owner.keyboard.press('Escape');
  const phone = await guest(url, { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  await live(phone);
  await phone.getByText('the terminal has the size of their window').waitFor();
  await phone.screenshot({ path: 'shots/guest-phone.png' });
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `the page is ${wide} pixels wide`);
  await phone.getByRole('button', { name: 'Use my size' }).click();
  await owner.getByText('Guest 1 types').waitFor();
  await type(phone, 'echo by-the-guest-$((40+2))');
  await shows(owner, 'by-the-guest-42');
  await owner.screenshot({ path: 'shots/letterbox.png' });
  await audit(owner, 'letterbox');
  await owner.getByRole('button', { name: 'Use my size' }).click();
  await phone.getByText('Owner types').waitFor();
});

test('several pasted lines are asked about, one is not', async () => {
  const page = await visit();
  await paste(page, 'echo one-$((40+2))');
  await page.keyboard.press('Enter');
  await shows(page, 'one-42');
  await paste(page, 'echo never-$((1+1))\necho never-$((2+2))\n');
  await page.getByTestId('paste').waitFor();
  await page.getByText('Paste 2 lines?').waitFor();
  await audit(page, 'paste');
  await page.keyboard.press('Escape');
  await page.getByTestId('paste').waitFor({ state: 'detached' });
  await paste(page, 'echo first-$((40+2))\necho second-$((40+2))\n');
  await page.getByRole('button', { name: 'Paste them' }).click();
  await page.keyboard.press('Enter');
  await shows(page, 'second-42');
  const text = await page.evaluate(() => window.sandlotTerminal.text());
  assert.ok(text.includes('first-42') && !text.includes('never-2'), text);
});

test('a program writes the clipboard of its owner only, and not again at a reload', async () => {
  const page = await visit({ permissions: ['clipboard-read', 'clipboard-write'] });
  const url = await link(page, 'type as well');
  await page.keyboard.press('Escape');
  const other = await guest(url, { permissions: ['clipboard-read', 'clipboard-write'] });
  await live(other);
  await page.bringToFront();
  const clipboard = (of) => of.evaluate(() => navigator.clipboard.readText());
  await page.evaluate(() => navigator.clipboard.writeText('nothing'));
  await type(page, `printf '\\033]52;c;%s\\007' "$(printf from-a-program | base64)"; echo written-$((40+2))`);
  await shows(page, 'written-42');
  await page.waitForFunction(async () => (await navigator.clipboard.readText()) === 'from-a-program');
  await page.evaluate(() => navigator.clipboard.writeText('mine'));
  await page.reload();
  await live(page);
  await shows(page, 'written-42');
  assert.equal(await clipboard(page), 'mine');
  // The guest has the focus, and the program writes again. (All pages of this browser believe to have the focus.)
  await page.evaluate(() => document.activeElement.blur());
  await other.bringToFront();
  await other.evaluate(() => navigator.clipboard.writeText('the guest’s'));
  await type(other, `printf '\\033]52;c;%s\\007\\033]0;bad\\001\\033[31mtitle\\007' "$(printf pwned | base64)"; echo again-$((40+2))`);
  await shows(other, 'again-42');
  assert.equal(await clipboard(other), 'the guest’s');
});
