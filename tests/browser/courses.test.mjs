// Promise: a student finds a course, does a lab with clicks and keys, has it checked, and finds their place again; slides are turned by keys.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { audit } from './audit.mjs';
import { live, open, shows } from './stage.mjs';

const LAB = `title: Files and words
description: Make a file, then answer a question.
image: sandlot/starter
terminals: [main, second]
variables: { word: { choice: [plum] } }
files: [{ from: assets/hello.c, to: /root/hello.c }]
intro: intro.md
finish: finish.md
steps:
  - text: 10-file.md
    check: { run: '[ -f /tmp/word ] || { echo "There is no file /tmp/word yet."; exit 1; }; grep -qx "$LAB_WORD" /tmp/word' }
    solve: { run: 'echo $LAB_WORD > /tmp/word' }
    hints: ["Use \`>\`.", { after: 1, text: "The word is **[[word]]**." }]
  - text: 20-more.md
    after: [file]
    tasks:
      - { name: folder, text: "Make the folder \`/tmp/folder\`.", check: { run: '[ -d /tmp/folder ]', auto: true }, solve: { run: 'mkdir /tmp/folder' } }
    quiz:
      - name: where
        question: Where is the file?
        choices: [{ text: In the container, right: true }, { text: On the host, why: "Nothing of the host can be *written*." }]
`;

const FILES = {
  'course.yaml':
    'title: First steps\ndescription: |\n  Files, words and a slide or two: enough to see how a course feels.\nminutes: 15\ndifficulty: beginner\nimage: sandlot/starter\nauthors: [The tests]\n',
  'slides/10-welcome.md':
    '# Welcome\n\n## What comes\n\n- a slide\n- a terminal on the next\n\nNote: say hello.\n\n# Try it\n\n```sh\necho from-a-$((40 + 2))-slide\n```{{exec}}\n\n# The end\n\nThat was it.\n',
  'labs/files/lab.yaml': LAB,
  'labs/files/intro.md': 'You will make a file. Nothing can break: the machine beside this text is yours alone.\n',
  'labs/files/finish.md': 'You made it.\n',
  'labs/files/10-file.md':
    '# Make a file\n\nA **redirection** writes what a command prints into a file. Your word is **[[word]]**:\n\n```sh\necho [[word]] > /tmp/word\n```{{exec}}\n\nLook at it in the other terminal: `cat /tmp/word; echo in-two`{{exec second}}. Line 2 of `/root/hello.c:2`{{open}} says hello.\n\n| sign | what it does |\n|---|---|\n| `>` | writes anew |\n| `>>` | appends |\n',
  'labs/files/20-more.md': '# Folders\n\nA folder holds files.\n',
  'labs/files/assets/hello.c': '#include <stdio.h>\nint main(void) { puts("hello"); }\n',
};

let stage;
let courses;

before(async () => {
  courses = mkdtempSync(join(tmpdir(), 'sandlot-courses-'));
  for (const [path, text] of Object.entries(FILES)) {
    const full = join(courses, 'first-steps', path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
  // The server has given root up.
  chmodSync(courses, 0o755);
  stage = await open({ settings: [`--courses=${courses}`] });
});

after(async () => {
  await stage?.close();
  rmSync(courses, { recursive: true, force: true });
});

async function visit(path, options = {}) {
  const context = await stage.browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  await page.goto(`${stage.url}${path}`);
  return page;
}

test('a student does a lab, and finds their place again', async () => {
  const page = await visit('/');
  await page.getByRole('link', { name: 'Courses' }).click();
  await page.getByTestId('course-card').waitFor();
  await page.screenshot({ path: 'shots/courses.png' });
  await audit(page, 'the courses');
  await page.getByTestId('course-card').click();
  await page.getByTestId('go-on').waitFor();
  await page.screenshot({ path: 'shots/course.png' });
  await audit(page, 'a course');
  await page.getByTestId('go-on').click();

  await page.getByTestId('next').click();
  await page.getByRole('heading', { name: 'Make a file' }).waitFor();
  await live(page);
  const check = page.getByTestId('check');
  await page.locator('[data-testid=check]:enabled').waitFor();
  await check.click();
  await page.getByText('There is no file /tmp/word yet.').waitFor();
  await page.getByRole('button', { name: 'Stuck? Here is a hint' }).click();
  await page.getByRole('button', { name: 'Stuck? Here is a hint' }).click();
  await page.getByText('The word is plum.').waitFor();

  await page.locator('pre[data-mark=exec]').getByRole('button', { name: 'Run' }).click();
  await shows(page, 'echo plum > /tmp/word');
  const inline = page.locator('code[data-mark=exec]');
  await inline.focus();
  await page.keyboard.press('Enter');
  await shows(page, 'in-two');
  assert.equal(await page.getByRole('tab', { selected: true }).innerText().then((text) => text.trim().split('\n')[0]), 'second');
  await check.click();
  await page.locator('[data-verdict=passed]').first().waitFor();
  await page.screenshot({ path: 'shots/lab.png' });
  await audit(page, 'a lab');
  await page.locator('code[data-mark=open]').click();
  await page.locator('.cm-activeLine').getByText('int main').waitFor();
  await page.screenshot({ path: 'shots/lab-editor.png' });

  await page.getByTestId('next').click();
  await page.getByRole('heading', { name: 'Folders' }).waitFor();
  await page.locator('[role=separator]').focus();
  await page.keyboard.press('ArrowRight');
  await page.getByLabel('On the host').check();
  await page.getByRole('button', { name: 'Answer' }).click();
  await page.getByText('Nothing of the host can be').waitFor();
  await page.getByLabel('In the container').check();
  await page.getByRole('button', { name: 'Answer' }).click();
  await page.getByText('That is right.').waitFor();
  await page.getByRole('button', { name: 'Solve it for me' }).click();
  await page.getByRole('button', { name: 'Do it' }).click();
  // The check runs by itself.
  await page.locator('[data-task=folder][data-passed=yes]').waitFor();
  await page.getByText('2 of 2 passed').waitFor();
  await page.getByTestId('next').click();
  await page.getByText('You made it.').waitFor();

  await page.reload();
  await page.getByText('2 of 2 passed').waitFor();
  await live(page);
  await page.getByRole('link', { name: 'First steps' }).click();
  await page.locator('[data-kind=lab]').getByText('2 of 2 steps passed').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('slides are turned by keys, seen all at once, and have a terminal', async () => {
  const page = await visit('/courses/first-steps/slides/welcome');
  await page.getByRole('heading', { name: 'Welcome' }).waitFor();
  await page.screenshot({ path: 'shots/slide.png' });
  await audit(page, 'a slide');
  await page.keyboard.press('n');
  await page.getByTestId('notes').getByText('say hello.').waitFor();
  await page.keyboard.press('n');
  await page.keyboard.press('ArrowRight');
  await page.getByRole('heading', { name: 'Try it' }).waitFor();
  await live(page);
  await page.locator('[data-testid=slide] pre').getByRole('button', { name: 'Run' }).click();
  await shows(page, 'from-a-42-slide');
  await page.screenshot({ path: 'shots/slide-terminal.png' });
  await page.getByRole('button', { name: 'Overview' }).click();
  await page.screenshot({ path: 'shots/slides-overview.png' });
  await page.getByRole('button', { name: '3 The end' }).click();
  await page.getByTestId('slide').getByText('That was it.').waitFor();
  assert.equal(new URL(page.url()).pathname, '/courses/first-steps/slides/welcome/3');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a lab that is edited is shown anew, on a narrow screen too', async () => {
  const page = await visit('/courses/first-steps/labs/files', { viewport: { width: 420, height: 800 } });
  await page.getByTestId('next').click();
  await page.getByRole('heading', { name: 'Make a file' }).waitFor();
  await live(page);
  await page.screenshot({ path: 'shots/lab-narrow.png' });
  writeFileSync(join(courses, 'first-steps/labs/files/10-file.md'), '# Make a file\n\nThe author had a better idea.\n');
  await page.getByText('The author had a better idea.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
