// Promise: what was pushed to the registry is on its page, with the command that fetches it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { audit } from './audit.mjs';
import { open } from './stage.mjs';

/** The administrator's token of every stage. */
const TOKEN = 'the-administrator-of-a-test';

let stage;

before(async () => (stage = await open()));
after(async () => stage?.close());

/** Pushes an artifact of one small layer, by the API alone, as any client does. */
async function push(name, tag) {
  const authorization = `Basic ${Buffer.from(`teacher:${TOKEN}`).toString('base64')}`;
  const call = async (method, path, body, type) => {
    const headers = { authorization, ...(type && { 'content-type': type }) };
    const answer = await fetch(`${stage.url}/v2/${name}${path}`, { method, headers, body });
    assert.equal(answer.status, 201, await answer.text());
  };
  const config = '{}';
  const digest = `sha256:${execFileSync('sha256sum', { input: config }).toString().slice(0, 64)}`;
  await call('POST', `/blobs/uploads/?digest=${digest}`, config);
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const named = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: 2 };
  await call('PUT', `/manifests/${tag}`, JSON.stringify({ schemaVersion: 2, mediaType: type, config: named, layers: [] }), type);
}

test('empty at first, then what was pushed, its command and the login', async () => {
  const context = await stage.browser.newContext({ viewport: { width: 1200, height: 760 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(stage.url);
  await page.getByRole('link', { name: 'Registry' }).click();
  await page.getByTestId('empty').waitFor();
  await audit(page, 'registry-empty');

  await push('class/app', '1.0');
  await page.reload();
  const row = page.getByTestId('repository');
  await row.getByText('class/app').waitFor();
  await audit(page, 'registry');
  await row.getByRole('button', { name: 'Copy pull command: docker pull registry:5000/class/app:1.0' }).click();
  await page.getByText('Copied: docker pull registry:5000/class/app:1.0').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'docker pull registry:5000/class/app:1.0');
  await page.getByText('From your own machine').click();
  await page.getByText(/docker login -u [0-9a-f]+ -p [0-9a-f]+ /).waitFor();
  assert.deepEqual(faults, [], 'the page threw');
  await context.close();
});
