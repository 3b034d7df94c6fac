//! The HTTP API as calls. Each returns what was asked for or throws a `Failure` that carries a `Problem`.
import type {
  CatalogueImage,
  CreateTerminal,
  FoundLine,
  Info,
  KeepWork,
  KeptWork,
  ListeningPort,
  RecordingInfo,
  RegistryInfo,
  SessionInfo,
  SessionStats,
  ShareInfo,
  TerminalInfo,
  TerminalMode,
} from '../protocol/generated';
import type { Answer, Http } from './ports';
import { problem, UNREACHABLE, type Problem } from './problem';

const BASE = '/api/v1';

/** A call that did not succeed. */
export class Failure extends Error {
  override name = 'Failure';
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** The calls that the page makes. */
export class Api {
  constructor(private readonly http: Http) {}

  async info(): Promise<Info> {
    return (await this.call('GET', '/info')) as Info;
  }

  async images(): Promise<CatalogueImage[]> {
    return (await this.call('GET', '/images')) as CatalogueImage[];
  }

  /** Starts from an image, or from work that was kept. */
  async start(from: { image: string } | { kept: string }): Promise<SessionInfo> {
    return (await this.call('POST', '/sessions', from)) as SessionInfo;
  }

  async keep(id: string, work: KeepWork): Promise<KeptWork> {
    return (await this.call('POST', `${sessionPath(id)}/commit`, work)) as KeptWork;
  }

  async kept(): Promise<KeptWork[]> {
    return (await this.call('GET', '/kept')) as KeptWork[];
  }

  async forget(kept: string): Promise<void> {
    await this.call('DELETE', `/kept/${encodeURIComponent(kept)}`);
  }

  async reset(id: string): Promise<SessionInfo> {
    return (await this.call('POST', `${sessionPath(id)}/reset`)) as SessionInfo;
  }

  async sessions(): Promise<SessionInfo[]> {
    return (await this.call('GET', '/sessions')) as SessionInfo[];
  }

  async session(id: string): Promise<SessionInfo> {
    return (await this.call('GET', sessionPath(id))) as SessionInfo;
  }

  async end(id: string): Promise<SessionInfo> {
    return (await this.call('DELETE', sessionPath(id))) as SessionInfo;
  }

  async extend(id: string): Promise<SessionInfo> {
    return (await this.call('POST', `${sessionPath(id)}/extend`)) as SessionInfo;
  }

  async stats(id: string): Promise<SessionStats> {
    return (await this.call('GET', `${sessionPath(id)}/stats`)) as SessionStats;
  }

  async openTerminal(id: string, size: CreateTerminal): Promise<TerminalInfo> {
    return (await this.call('POST', `${sessionPath(id)}/terminals`, size)) as TerminalInfo;
  }

  async ports(id: string): Promise<ListeningPort[]> {
    return (await this.call('GET', `${sessionPath(id)}/ports`)) as ListeningPort[];
  }

  async closeTerminal(id: string, terminal: string): Promise<void> {
    await this.call('DELETE', `${sessionPath(id)}/terminals/${encodeURIComponent(terminal)}`);
  }

  async shares(id: string): Promise<ShareInfo[]> {
    return (await this.call('GET', `${sessionPath(id)}/shares`)) as ShareInfo[];
  }

  async share(id: string, mode: TerminalMode): Promise<ShareInfo> {
    return (await this.call('POST', `${sessionPath(id)}/shares`, { mode })) as ShareInfo;
  }

  async revoke(id: string, share: string): Promise<void> {
    await this.call('DELETE', `${sessionPath(id)}/shares/${encodeURIComponent(share)}`);
  }

  async mark(id: string, terminal: string, label: string): Promise<void> {
    await this.call('POST', `${terminalPathIn(id, terminal)}/markers`, { label });
  }

  async recordings(): Promise<RecordingInfo[]> {
    return (await this.call('GET', '/recordings')) as RecordingInfo[];
  }

  async registry(): Promise<RegistryInfo> {
    return (await this.call('GET', '/registry')) as RegistryInfo;
  }

  async search(text: string): Promise<FoundLine[]> {
    return (await this.call('GET', `/recordings/search?q=${encodeURIComponent(text)}`)) as FoundLine[];
  }

  /** A call by its path below the API's own: the answer's body, or a `Failure`. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    let answer: Answer;
    try {
      answer = await this.http(method, `${BASE}${path}`, body);
    } catch {
      throw new Failure(UNREACHABLE);
    }
    if (answer.status < 200 || answer.status > 299) throw new Failure(problem(answer));
    return answer.body;
  }
}

/** The path of a terminal's WebSocket. */
export function terminalPath(session: string, terminal: string): string {
  return `${BASE}${terminalPathIn(session, terminal)}`;
}

/** The path of a terminal's recording. */
export function castPath(session: string, terminal: string): string {
  return `${terminalPath(session, terminal)}/recording.cast`;
}

function terminalPathIn(session: string, terminal: string): string {
  return `${sessionPath(session)}/terminals/${encodeURIComponent(terminal)}`;
}

/** Where a session's files begin: a path follows, percent-encoded, with its slash. */
export function filesPath(session: string): string {
  return `${BASE}${sessionPath(session)}/files`;
}

/** The path of the stream of changes of a session's files. */
export function fileChangesPath(session: string): string {
  return `${BASE}${sessionPath(session)}/file-changes`;
}

function sessionPath(id: string): string {
  return `/sessions/${encodeURIComponent(id)}`;
}

/** The path of a session's changes as a stream. */
export function eventsPath(session: string): string {
  return `${BASE}${sessionPath(session)}/events`;
}
