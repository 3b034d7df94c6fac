// The system under test, by `sandlot-stage`, and the browser that looks at it.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

/** Draws by WebGL, which without a graphics card is SwiftShader's. */
export const WEBGL = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];

/** Starts everything, the server with `settings` and the browser with `flags`; `close` ends everything. */
export async function open({ settings = [], flags = ['--disable-gpu'] } = {}) {
  const program = process.env.SANDLOT_STAGE;
  if (!program) throw new Error('SANDLOT_STAGE is not set; run: make test-browser');
  const child = spawn(program, settings, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the stage has ended; see its words above');
    return value;
  };
  const { url } = JSON.parse(await line());
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', ...flags] });
  mkdirSync('shots', { recursive: true });
  return {
    url,
    browser,
    /** `kill server`, `start engine`, … */
    async tell(command) {
      child.stdin.write(`${command}\n`);
      const answer = await line();
      if (answer !== 'ok') throw new Error(`${command}: ${answer}`);
    },
    async close() {
      await browser.close();
      child.stdin.end();
      await ended;
    },
  };
}

/** Opens the page, and a session of the image whose card has this title; answers the page. */
export async function start(stage, title, options = {}) {
  const context = await stage.browser.newContext({ viewport: { width: 1200, height: 760 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  await page.goto(stage.url);
  await page.getByRole('button', { name: `Start ${title}`, exact: true }).click();
  await live(page);
  return page;
}

/** Waits until the terminal in front is connected. */
export async function live(page) {
  await page.locator('[data-testid=connection][data-state=live]').waitFor();
  await page.waitForFunction(() => window.sandlotTerminal !== undefined);
}

/** Types a line into the terminal in front. */
export async function type(page, line) {
  await page.locator('[data-testid=terminal] textarea').focus();
  await page.keyboard.type(`${line}\n`);
}

/** Waits until the terminal in front shows `text`. */
export async function shows(page, text) {
  await page.waitForFunction((wanted) => window.sandlotTerminal?.text().includes(wanted), text);
}
