//! Prose that came from the server as HTML: code that can be run, copied or opened by a click or a key, and links to ports.

/** What marks in a text do. */
export interface Deeds {
  run(code: string, how: { terminal: string | undefined; interrupt: boolean; bare: boolean; keys: boolean }): void;
  open(path: string): void;
  port(port: number): void;
}

const WORDS: Readonly<Record<string, string>> = {
  exec: 'Run this in the terminal',
  copy: 'Copy this',
  open: 'Open this file in the editor',
};

/** Makes the marks of an element live; the returned function takes that back. */
export function enliven(root: HTMLElement, deeds: Deeds): () => void {
  for (const marked of root.querySelectorAll<HTMLElement>('[data-mark]')) dress(marked);
  const click = (event: MouseEvent) => act(event, deeds);
  const key = (event: KeyboardEvent) => {
    if ((event.key === 'Enter' || event.key === ' ') && event.target instanceof HTMLElement) {
      if (event.target.matches('code[data-mark]')) act(event, deeds);
    }
  };
  root.addEventListener('click', click);
  root.addEventListener('keydown', key);
  return () => {
    root.removeEventListener('click', click);
    root.removeEventListener('keydown', key);
  };
}

/** A piece in line becomes a button itself; a block gets one. */
function dress(marked: HTMLElement): void {
  const deed = marked.dataset['mark'] ?? '';
  const words = WORDS[deed];
  if (words === undefined || marked.dataset['dressed'] === 'yes') return;
  marked.dataset['dressed'] = 'yes';
  if (marked.tagName === 'CODE') {
    marked.tabIndex = 0;
    marked.setAttribute('role', 'button');
    marked.title = words;
    return;
  }
  const bar = document.createElement('span');
  bar.className = 'deeds';
  for (const what of deed === 'exec' ? ['exec', 'copy'] : [deed]) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset['deed'] = what;
    button.textContent = { exec: 'Run', copy: 'Copy', open: 'Open' }[what] ?? what;
    button.title = WORDS[what] ?? '';
    bar.append(button);
  }
  marked.prepend(bar);
  // A block that is wider than its place is scrolled by keys, too.
  marked.querySelector('code')?.setAttribute('tabindex', '0');
}

function act(event: Event, deeds: Deeds): void {
  if (!(event.target instanceof Element)) return;
  const link = event.target.closest<HTMLAnchorElement>('a[href^="#port-"]');
  if (link !== null) {
    event.preventDefault();
    return deeds.port(Number(link.hash.slice('#port-'.length)));
  }
  const button = event.target.closest<HTMLElement>('button[data-deed]');
  const marked = event.target.closest<HTMLElement>('[data-mark]');
  if (marked === null || (button === null && marked.tagName !== 'CODE')) return;
  const deed = button?.dataset['deed'] ?? marked.dataset['mark'];
  const code = (marked.querySelector('code') ?? marked).textContent ?? '';
  event.preventDefault();
  if (deed === 'exec') {
    const { terminal, interrupt, bare, keys } = marked.dataset;
    deeds.run(code, { terminal, interrupt: interrupt === 'yes', bare: bare === 'yes', keys: keys === 'yes' });
    flash(button ?? marked, 'sent');
  } else if (deed === 'copy') {
    void navigator.clipboard.writeText(code.replace(/\n$/, '')).then(() => flash(button ?? marked, 'copied'));
  } else if (deed === 'open') {
    deeds.open(code.trim());
  }
}

/** Says for a moment that it was done. */
function flash(element: HTMLElement, word: string): void {
  element.dataset['done'] = word;
  setTimeout(() => delete element.dataset['done'], 1200);
}

/** What is typed for a piece of code. */
export function keystrokes(code: string, how: { interrupt: boolean; bare: boolean; keys: boolean }): string {
  const control = (name: string) => String.fromCharCode(name.toUpperCase().charCodeAt(1) & 0x1f);
  const text = how.keys
    ? code.replace(/\^[A-Za-z[\]\\_]/g, control).trim()
    : code.replace(/\n$/, '').replace(/\n/g, '\r');
  return `${how.interrupt ? '\x03' : ''}${text}${how.bare || how.keys ? '' : '\r'}`;
}
