//! The calls about courses: catalogue, course, lab, slides, checks, answers.
import type {
  AnswerQuestion,
  CheckResult,
  CheckStep,
  CourseDetail,
  CourseInfo,
  DeckDetail,
  LabDetail,
  LabSession,
  SessionInfo,
} from '../protocol/generated';
import type { Api } from './api';

/** See the module. */
export class CourseCalls {
  constructor(private readonly api: Api) {}

  async courses(): Promise<CourseInfo[]> {
    return (await this.api.call('GET', '/courses')) as CourseInfo[];
  }

  async course(course: string): Promise<CourseDetail> {
    return (await this.api.call('GET', coursePath(course))) as CourseDetail;
  }

  async lab(course: string, lab: string): Promise<LabDetail> {
    return (await this.api.call('GET', labPath(course, lab))) as LabDetail;
  }

  async slides(course: string, deck: string): Promise<DeckDetail> {
    return (await this.api.call('GET', `${coursePath(course)}/slides/${encodeURIComponent(deck)}`)) as DeckDetail;
  }

  /** A session of a lab (`course/lab`), or of a course's slides (`course`). */
  async begin(lab: string): Promise<SessionInfo> {
    return (await this.api.call('POST', '/sessions', { lab })) as SessionInfo;
  }

  async readiness(session: string): Promise<LabSession> {
    return (await this.api.call('GET', ofSession(session))) as LabSession;
  }

  async check(session: string, what: CheckStep): Promise<CheckResult> {
    return (await this.api.call('POST', `${ofSession(session)}/check`, what)) as CheckResult;
  }

  async open(session: string, step: string): Promise<void> {
    await this.api.call('POST', `${ofSession(session)}/open`, { step });
  }

  async solve(session: string, step: string): Promise<void> {
    await this.api.call('POST', `${ofSession(session)}/solve`, { step });
  }

  async back(session: string, step: string): Promise<void> {
    await this.api.call('POST', `${ofSession(session)}/back`, { step });
  }

  async answer(course: string, lab: string, answer: AnswerQuestion): Promise<CheckResult> {
    return (await this.api.call('POST', `${labPath(course, lab)}/answer`, answer)) as CheckResult;
  }

  async read(course: string, lab: string, step: string): Promise<void> {
    await this.api.call('POST', `${labPath(course, lab)}/read`, { step });
  }
}

function coursePath(course: string): string {
  return `/courses/${encodeURIComponent(course)}`;
}

function labPath(course: string, lab: string): string {
  return `${coursePath(course)}/labs/${encodeURIComponent(lab)}`;
}

function ofSession(session: string): string {
  return `/sessions/${encodeURIComponent(session)}/lab`;
}
