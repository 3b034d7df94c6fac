//! A session as its page sees it: what phase it is in, its terminals as tabs, its time and its end. It owns the links and
//! the polling; it draws nothing.
import type {
  Access,
  EndReason,
  KeptWork,
  NoticeLevel,
  SessionInfo,
  SessionUsage,
  TerminalInfo,
} from '../protocol/generated';
import { eventsPath, Failure, terminalPath, type Api } from './api';
import { leaseAt, timeLeft, type Lease, type Remaining } from './lease';
import { Link } from './link';
import { Meter } from './meter';
import { bytes } from './meters';
import { Observable, type Dispose, type Readable } from './observable';
import type { World } from './ports';
import { endWords, sentence, UNREACHABLE, type Problem } from './problem';
import { activateTab, addTab, neighbour, removeTab, retitleTab, type Tabs } from './tabs';

/** Where a session is in its life. */
export type Phase =
  | { name: 'loading' }
  | { name: 'queued'; position: number }
  | { name: 'starting' }
  | { name: 'running' }
  | { name: 'ended'; reason: EndReason | 'unknown'; words: string; used: SessionUsage | undefined; left: Left }
  | { name: 'trouble'; problem: Problem };

/** What is left of a session that is over: terminals of which there is a recording, and works that were kept. */
export interface Left {
  readonly recordings: readonly string[];
  readonly kept: readonly KeptWork[];
}

const NOTHING: Left = { recordings: [], kept: [] };

function leftOf(info: SessionInfo): Left {
  return { recordings: info.recordings ?? [], kept: info.kept ?? [] };
}

/** What a session was started from. */
export interface Label {
  image: string;
  title: string;
  /** The kept work, if it was that. */
  kept?: string;
}

/** Something to tell the visitor once. */
export interface Notice {
  id: number;
  level: NoticeLevel;
  text: string;
}

/** Milliseconds until a session whose stream of changes broke is asked for again. */
const WAITING = 1000;
/** Notices kept on the page at once; older ones leave. */
const NOTICES = 3;

/** One session. */
export class Session {
  readonly #phase = new Observable<Phase>({ name: 'loading' });
  readonly #tabs = new Observable<Tabs<Link>>({ all: [], active: '' });
  readonly #lease = new Observable<Lease | undefined>(undefined);
  readonly #notices = new Observable<readonly Notice[]>([]);
  readonly #access = new Observable<Access>('owner');
  readonly #label = new Observable<Label | undefined>(undefined);
  readonly meter: Meter;
  #watch: Dispose = () => undefined;
  #following = false;
  #noticed = 0;
  #left = false;

  /** With `info` (fresh from the start) the terminals are connected at once, without another question. */
  constructor(
    private readonly world: World,
    readonly api: Api,
    readonly id: string,
    info?: SessionInfo,
  ) {
    this.meter = new Meter(world.clock, async () => {
      const stats = await api.stats(id);
      this.#keep(stats, this.#lease.value?.extensions ?? 0);
      return stats;
    });
    if (info === undefined) void this.refresh();
    else this.#take(info);
  }

  get phase(): Readable<Phase> {
    return this.#phase;
  }

  get tabs(): Readable<Tabs<Link>> {
    return this.#tabs;
  }

  get lease(): Readable<Lease | undefined> {
    return this.#lease;
  }

  get notices(): Readable<readonly Notice[]> {
    return this.#notices;
  }

  /** What this visitor may do. */
  get access(): Readable<Access> {
    return this.#access;
  }

  /** What the session was started from. */
  get label(): Readable<Label | undefined> {
    return this.#label;
  }

  /** Asks the server how the session is. */
  async refresh(): Promise<'there' | 'gone'> {
    try {
      this.#take(await this.api.session(this.id));
    } catch (error) {
      this.#fail(error);
    }
    return this.#phase.value.name === 'ended' ? 'gone' : 'there';
  }

  /** Opens one more terminal, in front, as large as the one that was. */
  async openTerminal(): Promise<void> {
    await this.#attempt(async () =>
      this.#addTerminal(await this.api.openTerminal(this.id, this.link(this.#tabs.value.active)?.size ?? {})),
    );
  }

  /** Closes a terminal: its shell is hung up. */
  async closeTerminal(id: string): Promise<void> {
    const link = this.link(id);
    if (link === undefined) return;
    const exited = link.state.value.name === 'closed';
    link.close();
    this.#tabs.set(removeTab(this.#tabs.value, id));
    if (!exited) await this.#attempt(() => this.api.closeTerminal(this.id, id));
  }

  activate(id: string): void {
    this.#tabs.set(activateTab(this.#tabs.value, id));
  }

  /** Brings the tab `step` places further to the front. */
  step(step: number): void {
    this.activate(neighbour(this.#tabs.value, step));
  }

  /** `name` is the visitor's own word for a tab, `title` the program's. */
  retitle(id: string, change: { name?: string; title?: string }): void {
    this.#tabs.set(retitleTab(this.#tabs.value, id, change));
  }

  link(id: string): Link | undefined {
    return this.#tabs.value.all.find((tab) => tab.id === id)?.content;
  }

  async extend(): Promise<void> {
    await this.#attempt(async () => this.#take(await this.api.extend(this.id)));
  }

  /** Keeps what was changed so far; says how it went. */
  async keep(title: string): Promise<void> {
    await this.#attempt(async () => {
      const work = await this.api.keep(this.id, title.trim() === '' ? {} : { title });
      this.#notice('info', `“${work.title}” is kept, ${bytes(work.size_bytes)}: start from it on the first page`);
    });
  }

  /** Asks for a fresh machine under the open terminals. */
  async reset(): Promise<void> {
    await this.#attempt(async () => this.#take(await this.api.reset(this.id)));
  }

  async end(): Promise<void> {
    await this.#attempt(async () => {
      const info = await this.api.end(this.id);
      this.#ended('closed', undefined, info.used, leftOf(info));
    });
  }

  dismiss(notice: number): void {
    this.#notices.set(this.#notices.value.filter((other) => other.id !== notice));
  }

  /** The network came back, or somebody looks again. */
  nudge(): void {
    for (const tab of this.#tabs.value.all) tab.content.nudge();
    const phase = this.#phase.value.name;
    if (phase === 'trouble' || phase === 'loading') void this.refresh();
  }

  /** Lets go of everything; the session itself goes on. */
  leave(): void {
    this.#left = true;
    this.#rest();
    this.meter.stop();
    for (const tab of this.#tabs.value.all) tab.content.close();
  }

  #take(info: SessionInfo): void {
    if (this.#left || this.#phase.value.name === 'ended') return;
    this.#label.set({ image: info.image, title: info.title });
    this.#access.set(info.access);
    this.#keep(info, info.extensions_left);
    switch (info.state) {
      case 'queued':
        this.#phase.set({ name: 'queued', position: info.position ?? 1 });
        return this.#follow();
      case 'starting':
        this.#phase.set({ name: 'starting' });
        return this.#follow();
      case 'ended':
        return this.#ended(info.reason ?? 'unknown', info.message, info.used, leftOf(info));
      case 'running':
      case 'paused':
        this.#rest();
        for (const terminal of info.terminals) this.#addTerminal(terminal);
        if (this.#phase.value.name !== 'running') {
          const first = info.terminals[0];
          if (first !== undefined) this.activate(first.id);
          this.#phase.set({ name: 'running' });
        }
    }
  }

  /** Hears of every change until the session runs; asks again when the stream breaks. */
  #follow(): void {
    if (this.#following) return;
    this.#rest();
    this.#following = true;
    this.#watch = this.world.openStream(eventsPath(this.id), 'session', {
      event: (info) => this.#take(info as SessionInfo),
      ended: () => this.#again(),
    });
  }

  #again(): void {
    this.#rest();
    this.#watch = this.world.clock.after(WAITING, () => void this.refresh());
  }

  #rest(): void {
    this.#watch();
    this.#watch = () => undefined;
    this.#following = false;
  }

  #keep(left: Remaining, extensions: number): void {
    this.#lease.set(leaseAt(this.world.clock.now(), left, extensions));
  }

  #fail(error: unknown): void {
    const phase = this.#phase.value.name;
    if (this.#left || phase === 'ended') return;
    const problem = error instanceof Failure ? error.problem : UNREACHABLE;
    if ((problem.status === 404 || problem.status === 410) && phase !== 'loading' && phase !== 'trouble') {
      this.#ended('unknown', problem.status === 410 ? problem.detail : undefined, undefined);
    } else if (phase !== 'running') {
      this.#phase.set({ name: 'trouble', problem });
      if (problem.status === 0 || problem.status >= 500) this.#again();
    }
  }

  #ended(
    reason: EndReason | 'unknown',
    message: string | undefined,
    used: SessionUsage | undefined,
    left: Left = NOTHING,
  ): void {
    if (this.#phase.value.name === 'ended') return;
    this.leave();
    this.#phase.set({ name: 'ended', reason, words: endWords(reason, message), used, left });
  }

  #addTerminal(terminal: TerminalInfo): void {
    if (this.link(terminal.id) !== undefined || this.#left) return;
    const link = new Link(
      this.world,
      terminalPath(this.id, terminal.id),
      () => this.refresh(),
      (message) => {
        if (message.type === 'notice') this.#notice(message.level, message.text);
        else this.#keep({ ...message, idle_remaining_seconds: this.#idleLeft() }, message.extensions_left);
      },
    );
    this.#tabs.set(addTab(this.#tabs.value, { id: terminal.id, content: link }));
    link.state.subscribe((state) => {
      if (state.name !== 'closed' || state.why.name !== 'exited') return;
      if (state.why.code === 0 && this.#tabs.value.all.length > 1) {
        this.#tabs.set(removeTab(this.#tabs.value, terminal.id));
      }
      void this.refresh();
    });
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#notice('warning', error.problem.detail);
    }
  }

  #idleLeft(): number | undefined {
    const lease = this.#lease.value;
    return lease?.idleEndsAt === undefined ? undefined : timeLeft(lease.idleEndsAt, this.world.clock.now()) / 1000;
  }

  /** Marks this moment in a terminal's recording. */
  async mark(terminal: string, label: string): Promise<void> {
    await this.#attempt(async () => {
      await this.api.mark(this.id, terminal, label);
      this.#notice('info', 'this moment is marked in the recording');
    });
  }

  /** Says that what was typed was not sent. */
  refuse(): void {
    this.#notice('warning', 'that was not sent: there is no connection that takes it');
  }

  #notice(level: NoticeLevel, text: string): void {
    // Each terminal of a session is told the same: once is enough.
    if (this.#notices.value.some((other) => other.text === sentence(text))) return;
    this.#noticed += 1;
    const notice = { id: this.#noticed, level, text: sentence(text) };
    this.#notices.set([...this.#notices.value, notice].slice(-NOTICES));
  }
}
