//! A lab as its page sees it: its text, the step that is shown, the session beside it, what was tried and how that went. It draws
//! nothing.
import type { LabDetail, LabReadiness, LabStep } from '../protocol/generated';
import { Failure } from './api';
import type { CourseCalls } from './course-calls';
import { Observable, type Dispose, type Readable } from './observable';
import type { Clock } from './ports';
import { sentence, UNREACHABLE, type Problem } from './problem';

/** How a check or an answer stands. */
export type Verdict =
  | { name: 'running' }
  | { name: 'passed'; feedback: string; said: readonly string[] }
  | { name: 'failed'; feedback: string; said: readonly string[] }
  /** It could not be tried. */
  | { name: 'trouble'; feedback: string };

/** Whether the session is ready for the student. */
export interface Ready {
  state: LabReadiness;
  message: string;
}

/** Milliseconds between two looks at whether the session is ready. */
const READY = 300;
/** Milliseconds between two checks that run by themselves. */
const AUTO = 4000;
/** Milliseconds between two looks at whether the author changed the lab. */
const FRESH = 5000;

/** The key of a verdict. */
export function partKey(step: string, part: string): string {
  return `${step}/${part}`;
}

/** See the module. */
export class Lab {
  readonly #detail: Observable<LabDetail>;
  readonly #ready = new Observable<Ready>({ state: 'preparing', message: '' });
  readonly #verdicts = new Observable<Readonly<Record<string, Verdict>>>({});
  readonly #trouble = new Observable<Problem | undefined>(undefined);
  readonly #failures = new Map<string, number>();
  #session: string | undefined;
  #timers: Dispose[] = [];
  #busy = false;
  #left = false;
  #shown = '';
  readonly #opened = new Set<string>();

  constructor(
    private readonly clock: Clock,
    readonly calls: CourseCalls,
    detail: LabDetail,
  ) {
    this.#detail = new Observable(detail);
    this.#every(FRESH, () => this.#look());
    this.#every(AUTO, () => this.#checkByItself());
  }

  get detail(): Readable<LabDetail> {
    return this.#detail;
  }

  get ready(): Readable<Ready> {
    return this.#ready;
  }

  get verdicts(): Readable<Readonly<Record<string, Verdict>>> {
    return this.#verdicts;
  }

  /** What went wrong last, of all that has no place of its own. */
  get trouble(): Readable<Problem | undefined> {
    return this.#trouble;
  }

  get name(): string {
    const { course, name } = this.#detail.value;
    return `${course}/${name}`;
  }

  /** The session that it runs in; asks until that is ready. */
  begin(session: string): void {
    this.#session = session;
    void this.#await();
  }

  /** A step is shown. */
  show(step: string): void {
    this.#shown = step;
    void this.#open();
  }

  /** How often a part of a step failed: earlier, and while this page is open. */
  failures(step: LabStep, part: string): number {
    const task = step.tasks.find((one) => `task:${one.name}` === part);
    return (task?.failures ?? step.failures) + (this.#failures.get(partKey(step.name, part)) ?? 0);
  }

  /** Has the step's check run, or a task's. */
  async check(step: string, task?: string): Promise<void> {
    const session = this.#session;
    const part = task === undefined ? 'check' : `task:${task}`;
    if (session === undefined || this.#busy) return;
    await this.#judge(step, part, () => this.calls.check(session, { step, ...(task === undefined ? {} : { task }) }));
  }

  async answer(step: string, question: string, given: { choices: number[] } | { text: string }): Promise<void> {
    const { course, name } = this.#detail.value;
    await this.#judge(step, `quiz:${question}`, () => this.calls.answer(course, name, { step, question, ...given }));
  }

  /** The student goes on from a step that has nothing to be passed. */
  async read(step: LabStep): Promise<void> {
    if (step.passed || step.checked || step.tasks.length > 0 || step.quiz.length > 0) return;
    const { course, name } = this.#detail.value;
    await this.calls.read(course, name, step.name).catch(() => undefined);
    this.#change(step.name, (old) => ({ ...old, passed: true }));
  }

  /** Carries the author's solution out. */
  async solve(step: string): Promise<void> {
    await this.#attempt((session) => this.calls.solve(session, step));
  }

  /** A fresh machine, as at the start of the step. */
  async back(step: string): Promise<void> {
    this.#ready.set({ state: 'preparing', message: '' });
    await this.#attempt((session) => this.calls.back(session, step));
    this.#opened.add(step);
    await this.#await();
  }

  dismiss(): void {
    this.#trouble.set(undefined);
  }

  leave(): void {
    this.#left = true;
    for (const stop of this.#timers) stop();
    this.#timers = [];
  }

  async #attempt(run: (session: string) => Promise<void>): Promise<void> {
    const session = this.#session;
    if (session === undefined || this.#busy) return;
    this.#busy = true;
    this.dismiss();
    try {
      await run(session);
    } catch (error) {
      this.#trouble.set(error instanceof Failure ? error.problem : UNREACHABLE);
    } finally {
      this.#busy = false;
    }
  }

  async #judge(
    step: string,
    part: string,
    ask: () => Promise<{ passed: boolean; feedback: string; said: string[]; step_passed: boolean }>,
  ): Promise<void> {
    const key = partKey(step, part);
    this.#busy = true;
    this.#put(key, { name: 'running' });
    try {
      const { passed, feedback, said, step_passed } = await ask();
      this.#put(key, { name: passed ? 'passed' : 'failed', feedback, said });
      if (!passed) this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
      this.#passed(step, part, passed, step_passed);
    } catch (error) {
      const detail = error instanceof Failure ? error.problem.detail : UNREACHABLE.detail;
      this.#put(key, { name: 'trouble', feedback: sentence(detail) });
    } finally {
      this.#busy = false;
    }
  }

  #put(key: string, verdict: Verdict): void {
    this.#verdicts.set({ ...this.#verdicts.value, [key]: verdict });
  }

  #passed(step: string, part: string, passed: boolean, whole: boolean): void {
    this.#change(step, (old) => ({
      ...old,
      passed: whole || old.passed,
      tasks: old.tasks.map((task) => (`task:${task.name}` === part && passed ? { ...task, passed } : task)),
      quiz: old.quiz.map((one) => (`quiz:${one.name}` === part && passed ? { ...one, passed } : one)),
    }));
  }

  #change(step: string, change: (old: LabStep) => LabStep): void {
    const detail = this.#detail.value;
    const steps = detail.steps.map((one) => (one.name === step ? change(one) : one));
    this.#detail.set({ ...detail, steps });
  }

  async #await(): Promise<void> {
    const session = this.#session;
    if (session === undefined || this.#left) return;
    const found = await this.calls.readiness(session).catch(() => undefined);
    if (this.#left || session !== this.#session) return;
    if (found !== undefined) this.#ready.set({ state: found.state, message: found.message });
    if (found?.state === 'ready') return this.#open();
    if (found?.state !== 'failed') this.clock.after(READY, () => void this.#await());
  }

  /** What the author wants done when the step is first shown. */
  async #open(): Promise<void> {
    const step = this.#shown;
    if (step === '' || this.#ready.value.state !== 'ready' || this.#opened.has(step)) return;
    this.#opened.add(step);
    await this.#attempt((session) => this.calls.open(session, step));
  }

  /** The author may have changed the text. */
  async #look(): Promise<void> {
    const { course, name, version } = this.#detail.value;
    const found = await this.calls.lab(course, name).catch(() => undefined);
    if (found !== undefined && !this.#left && found.version !== version) this.#detail.set(found);
  }

  async #checkByItself(): Promise<void> {
    const session = this.#session;
    const step = this.#detail.value.steps.find((one) => one.name === this.#shown);
    if (session === undefined || step === undefined || step.passed || this.#busy) return;
    if (this.#ready.value.state !== 'ready') return;
    const own = step.auto && this.#verdicts.value[partKey(step.name, 'check')]?.name !== 'passed' ? [undefined] : [];
    const tasks = step.tasks.filter((task) => task.auto && !task.passed).map((task) => task.name);
    for (const task of [...tasks, ...own]) {
      const part = task === undefined ? 'check' : `task:${task}`;
      const what = { step: step.name, auto: true, ...(task === undefined ? {} : { task }) };
      const found = await this.calls.check(session, what).catch(() => undefined);
      if (found?.passed !== true || this.#left) continue;
      this.#put(partKey(step.name, part), { name: 'passed', feedback: found.feedback, said: [] });
      this.#passed(step.name, part, true, found.step_passed);
    }
  }

  #every(milliseconds: number, run: () => Promise<void>): void {
    const at = this.#timers.length;
    const again = () => {
      this.#timers[at] = this.clock.after(milliseconds, async () => {
        if (this.#left) return;
        await run();
        if (!this.#left) again();
      });
    };
    this.#timers.push(() => undefined);
    again();
  }
}
