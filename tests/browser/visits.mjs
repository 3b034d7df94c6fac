// What the tests of a file share: one system and one browser, opened before them and closed after them, and the pages that they
// open, none of which may throw.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { open, start } from './stage.mjs';

const WINDOW = { viewport: { width: 1200, height: 760 } };

/** `options` are those of `open`; `leave` is done with each page before it is closed. */
export function visits({ leave = async () => undefined, ...options } = {}) {
  let opened;
  const pages = [];
  before(async () => (opened = await open(options)));
  after(async () => opened?.close());
  afterEach(async () => {
    for (const page of pages.splice(0)) {
      assert.deepEqual(page.faults, [], 'the page threw');
      await leave(page);
      await page.context().close();
    }
  });
  return {
    /** The system; it is there once a test runs. */
    stage: {
      get url() {
        return opened.url;
      },
      get browser() {
        return opened.browser;
      },
      tell: (command) => opened.tell(command),
    },
    /** A visitor with a session of the starter. */
    async visit(context) {
      const page = await start(opened, 'Starter', context);
      pages.push(page);
      return page;
    },
    /** Somebody else, at an address. */
    async stranger(address, context = {}) {
      const page = await (await opened.browser.newContext({ ...WINDOW, ...context })).newPage();
      page.faults = [];
      page.on('pageerror', (error) => page.faults.push(String(error)));
      pages.push(page);
      await page.goto(address);
      return page;
    },
  };
}
