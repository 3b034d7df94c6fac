// Files and ports beside the terminal: what is edited is in the session, what the shell does is in the page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.mjs';
import { shows, type } from './stage.mjs';
import { visits } from './visits.mjs';

const { visit } = visits();

const row = (page, path) => page.locator(`[role=treeitem][data-path="${path}"]`);

/** The editor's text as it is shown. */
const text = (page) => page.locator('.cm-content').innerText();

async function edit(page, path) {
  await page.getByTestId('open-files').click();
  await row(page, path).click();
  await page.locator('.cm-content').waitFor();
}

async function saved(page) {
  await page.locator('[data-testid=saved][data-state=no]').waitFor();
}

test('what is edited and saved is what the shell reads', async () => {
  const page = await visit();
  await type(page, "printf 'one\\r\\ntwo\\r\\n' > 'a b.py'; echo made");
  await shows(page, 'made');
  await edit(page, '/root/a%20b.py');
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('three');
  await page.locator('[data-testid=saved][data-state=yes]').waitFor();
  await page.keyboard.press('Control+s');
  await saved(page);
  await type(page, "od -An -c 'a b.py' | tr -d ' \\n'; echo; grep -c three 'a b.py'");
  await shows(page, 'one\\r\\ntwo\\r\\nthree');
  await audit(page, 'files');
});

test('what the shell writes is shown, and asked about when something was typed', async () => {
  const page = await visit();
  await type(page, 'echo first > note; mkdir -p sub; echo made');
  await shows(page, 'made');
  await edit(page, '/root/note');
  await type(page, 'echo second >> note; touch sub/below new-one');
  await row(page, '/root/new-one').waitFor();
  await page.waitForFunction(() => document.querySelector('.cm-content').innerText.includes('second'));
  await page.locator('.cm-content').click();
  await page.keyboard.type('mine ');
  await page.locator('[data-testid=saved][data-state=yes]').waitFor();
  await type(page, 'echo third >> note');
  await page.getByTestId('conflict').waitFor();
  assert.ok((await text(page)).includes('mine'), 'what was typed is still there');
  await page.keyboard.press('Control+F6');
  await page.getByRole('button', { name: 'Overwrite it with mine' }).click();
  await saved(page);
  await type(page, 'cat note | tr "\\n" -; rm note');
  await shows(page, 'mine ');
  await page.getByTestId('conflict').waitFor();
  await page.getByRole('button', { name: 'Close it' }).click();
  await row(page, '/root/note').waitFor({ state: 'detached' });
});

test('what is typed and not saved is lost only by who says so', async () => {
  const page = await visit();
  await type(page, 'echo first > note; echo made');
  await shows(page, 'made');
  await edit(page, '/root/note');
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type('unsaved ');
  await page.locator('[data-testid=saved][data-state=yes]').waitFor();
  // The panel is put away and taken out again.
  await page.getByRole('button', { name: 'Close the files' }).click();
  await page.getByTestId('files').waitFor({ state: 'hidden' });
  await page.getByTestId('open-files').click();
  assert.ok((await text(page)).includes('unsaved first'), await text(page));
  // Another file is made: it does not come to the front.
  await page.getByTestId('files').getByRole('button', { name: 'New file' }).click();
  await page.getByTestId('files').getByRole('textbox', { name: 'New file' }).fill('another');
  await page.keyboard.press('Enter');
  await row(page, '/root/another').waitFor();
  assert.ok((await text(page)).includes('unsaved first'), await text(page));
  // Elsewhere in the playground: only after a question.
  const asked = [];
  page.on('dialog', (dialog) => (asked.push(dialog.message()), asked.length < 3 ? dialog.dismiss() : dialog.accept()));
  const at = page.url();
  await page.getByRole('link', { name: 'Sandlot: all images' }).click();
  await page.goBack();
  await page.waitForURL(at);
  assert.ok((await text(page)).includes('unsaved first'), await text(page));
  await page.getByRole('link', { name: 'Sandlot: all images' }).click();
  await page.getByText('Still running').waitFor();
  assert.deepEqual(asked, Array(3).fill('note is not saved. Leave all the same?'));
});

test('files and folders are made, renamed, deleted and dropped', async () => {
  const page = await visit();
  await page.locator('[data-testid=terminal] textarea').focus();
  await page.keyboard.press('Control+Shift+E');
  const panel = page.getByTestId('files');
  await row(page, '/root').waitFor();
  await panel.getByRole('button', { name: 'New folder' }).click();
  await panel.getByRole('textbox').fill('ein Ordner');
  await page.keyboard.press('Enter');
  await row(page, '/root/ein%20Ordner').click();
  await page.keyboard.press('F2');
  await panel.getByRole('textbox').fill('box');
  await page.keyboard.press('Enter');
  await row(page, '/root/box').waitFor();
  // A folder with a folder in it, as a person drops it.
  await row(page, '/root/box').click();
  await page.evaluate(() => {
    const file = (path, content) => ({
      isFile: true, isDirectory: false, name: path,
      file: (done) => done(new File([content], path)),
    });
    const folder = (name, below) => {
      let told = false;
      const readEntries = (done) => (done(told ? [] : below), (told = true));
      return { isFile: false, isDirectory: true, name, createReader: () => ({ readEntries }) };
    };
    const dropped = folder('top', [file('one', '1'), folder('deep', [file('zwei ü', 'content of two')])]);
    const transfer = { types: ['Files'], items: [{ webkitGetAsEntry: () => dropped }] };
    const event = new Event('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(event, 'dataTransfer', { value: transfer });
    document.querySelector('[data-testid=files]').dispatchEvent(event);
  });
  await row(page, '/root/box/top').waitFor();
  await type(page, 'until cat box/top/deep/zwei*; do sleep 0.1; done; echo; cat box/top/one; echo -end');
  await shows(page, 'content of two');
  // A file of the same name is asked about.
  await type(page, 'echo old > box/same; echo there');
  await row(page, '/root/box/same').waitFor();
  await row(page, '/root/box').focus();
  await page.getByTestId('pick-files').setInputFiles({ name: 'same', mimeType: 'text/plain', buffer: Buffer.from('new') });
  await page.getByRole('button', { name: 'Replace it' }).click();
  await type(page, 'until grep new box/same; do sleep 0.1; done; echo replaced-it');
  await shows(page, 'replaced-it');
  await row(page, '/root/box/top').click();
  await page.keyboard.press('Delete');
  await page.getByRole('button', { name: 'Delete it' }).click();
  await row(page, '/root/box/top').waitFor({ state: 'detached' });
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    (async () => {
      await row(page, '/root/box/same').click();
      await panel.getByRole('link', { name: 'Download' }).first().click();
    })(),
  ]);
  assert.equal(download.suggestedFilename(), 'same');
});

test('a phone has the files on the whole screen', async () => {
  const page = await visit({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  await page.getByTestId('open-files').click();
  await row(page, '/root').waitFor();
  const { width } = await page.getByTestId('files').boundingBox();
  assert.equal(width, 390);
  await page.screenshot({ path: 'shots/files-phone-open.png' });
  await page.getByRole('button', { name: 'Close the files' }).click();
  await page.getByTestId('terminal').waitFor();
});

test('a port of the session opens as a page of its own', async () => {
  const page = await visit();
  await type(page, 'mkdir www; echo "<h1>from the session</h1><script>document.title = document.cookie + location.origin</script>" > www/index.html; busybox httpd -p 8000 -h www');
  await page.locator('[data-testid=ports] .count').waitFor();
  await page.getByTestId('ports').click();
  await audit(page, 'ports');
  const [preview] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('link', { name: 'Open port 8000' }).click()]);
  await preview.getByRole('heading', { name: 'from the session' }).waitFor();
  const id = new URL(page.url()).pathname.split('/').at(-1);
  assert.equal(new URL(preview.url()).hostname, `8000--${id}.localhost`);
  assert.ok(!preview.url().includes('ticket'), preview.url());
  assert.equal(await preview.title(), new URL(preview.url()).origin, 'a page sees no cookie');
  await preview.reload();
  await preview.getByRole('heading', { name: 'from the session' }).waitFor();
  // Its scripts cannot speak to the playground as the visitor.
  const told = await preview.evaluate(async (url) => {
    const answer = await fetch(url, { credentials: 'include' }).catch((error) => String(error));
    return typeof answer === 'string' ? 'refused' : answer.status;
  }, new URL('/api/v1/sessions', page.url()).href);
  assert.equal(told, 'refused');
  await preview.close();
});
