//! The editor of a file: CodeMirror 6 in the page's colours. It is a chunk of its own, loaded when the first file is opened.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Annotation, Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { languageOf } from './languages';

/** What an editor is made with. */
export interface Wish {
  parent: HTMLElement;
  /** Words for assistive programs. */
  label: string;
  /** The file's name, for its language. */
  name: string;
  text: string;
  /** Whether the text can be changed. */
  may: 'look' | 'change';
  onedit: () => void;
  onsave: () => void;
}

/** A change that is no edit: the text was loaded. */
const loading = Annotation.define<boolean>();

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'light-dark(#8437b3, #d5adff)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'light-dark(#1d7439, #7fdc95)' },
  { tag: [tags.comment, tags.meta], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'light-dark(#b3261e, #ff8f87)' },
  { tag: [tags.function(tags.variableName), tags.standard(tags.variableName)], color: 'light-dark(#1d5cba, #7dbbff)' },
  { tag: [tags.typeName, tags.className, tags.tagName], color: 'light-dark(#0a6a72, #70d8d0)' },
  {
    tag: [tags.propertyName, tags.attributeName, tags.definition(tags.variableName)],
    color: 'light-dark(#7a5800, #ecc963)',
  },
  { tag: tags.heading, fontWeight: '700' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.strong, fontWeight: '700' },
  { tag: tags.link, textDecoration: 'underline' },
]);

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--terminal)', color: 'var(--ink)', fontSize: '13.5px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-gutters': { backgroundColor: 'var(--terminal)', color: 'var(--muted)', border: '0' },
  '.cm-content': { caretColor: 'var(--accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'light-dark(#1d7a450d, #7fdc950f)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    background: 'light-dark(#bfe3cc, #2d4a3b) !important',
  },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'var(--accent-soft)',
    outline: '1px solid var(--accent)',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--gold-soft)' },
  '.cm-searchMatch': { backgroundColor: 'var(--gold-soft)', outline: '1px solid var(--gold)' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '.cm-panels button': { background: 'var(--surface)', border: '1px solid var(--line)', borderRadius: '5px' },
  '.cm-panels input': { background: 'var(--sunken)', border: '1px solid var(--line)', color: 'var(--ink)' },
});

/** Lines end as most of the file's do: what was loaded is written back to the byte. */
function lineEnd(text: string): string {
  return text.includes('\r\n') && !/(^|[^\r])\n/.test(text) ? '\r\n' : '\n';
}

function indent(text: string): string {
  return /^\t/m.test(text) ? '\t' : /^ {4}\S/m.test(text) && !/^ {2}\S/m.test(text) ? '    ' : '  ';
}

/** See the module. */
export class Editor {
  readonly #view: EditorView;
  readonly #language = new Compartment();
  readonly #wish: Wish;

  constructor(wish: Wish) {
    this.#wish = wish;
    this.#view = new EditorView({ parent: wish.parent, state: this.#state(wish.text) });
    void languageOf(wish.name)
      .then((language) => this.#view.dispatch({ effects: this.#language.reconfigure(language) }))
      // Without its language a file is plain text.
      .catch(() => undefined);
  }

  /** The text as it is to be written. */
  get text(): string {
    return this.#view.state.sliceDoc();
  }

  /** Shows what was loaded; the cursor stays about where it was. */
  load(text: string): void {
    const { state } = this.#view;
    if (lineEnd(text) !== state.lineBreak) {
      const language = this.#language.get(state) ?? [];
      this.#view.setState(this.#state(text));
      this.#view.dispatch({ effects: this.#language.reconfigure(language) });
      return;
    }
    const now = state.sliceDoc();
    if (text === now) return;
    // Only what differs is replaced, so that the cursor and the view stay.
    const shortest = Math.min(now.length, text.length);
    let same = 0;
    while (same < shortest && now[same] === text[same]) same += 1;
    let rest = 0;
    while (rest < shortest - same && now[now.length - 1 - rest] === text[text.length - 1 - rest]) rest += 1;
    const whole = state.lineBreak === '\n';
    const changes = whole
      ? { from: same, to: now.length - rest, insert: text.slice(same, text.length - rest) }
      : { from: 0, to: state.doc.length, insert: text };
    this.#view.dispatch({
      changes: { ...changes, insert: state.toText(changes.insert) },
      annotations: loading.of(true),
    });
  }

  /** Puts the cursor into a line, counted from 1, and brings it into view. */
  show(line: number | undefined): void {
    if (line === undefined) return;
    const { doc } = this.#view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines)).from;
    this.#view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
  }

  focus(): void {
    this.#view.focus();
  }

  destroy(): void {
    this.#view.destroy();
  }

  #state(text: string): EditorState {
    const { onedit, onsave, label, may } = this.#wish;
    const extensions: Extension[] = [
      EditorState.lineSeparator.of(lineEnd(text)),
      EditorState.readOnly.of(may === 'look'),
      indentUnit.of(indent(text)),
      lineNumbers(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSpecialChars(),
      highlightSelectionMatches(),
      drawSelection(),
      history(),
      bracketMatching(),
      indentOnInput(),
      syntaxHighlighting(colours),
      look,
      this.#language.of([]),
      // Tab indents, as in every editor; Escape, then Tab leaves it (CodeMirror's own way out).
      keymap.of([
        { key: 'Mod-s', run: () => (may === 'change' && onsave(), true), preventDefault: true },
        ...defaultKeymap,
        ...historyKeymap,
        ...searchKeymap,
        indentWithTab,
      ]),
      EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off' }),
      EditorView.updateListener.of((update) => {
        const typed = update.transactions.some((one) => one.docChanged && one.annotation(loading) !== true);
        if (typed) onedit();
      }),
    ];
    return EditorState.create({ doc: text, extensions });
  }
}
