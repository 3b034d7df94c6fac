//! The page's addresses. Without `#`: the server answers each of them with `index.html`.

/** A place in the page. */
export type Route =
  | { name: 'home' }
  | { name: 'session'; id: string }
  /** A share link that the server did not open. */
  | { name: 'link' }
  | { name: 'recordings' }
  | { name: 'courses' }
  | { name: 'course'; course: string }
  | { name: 'lab'; course: string; lab: string }
  /** A deck of slides, at one of them, from 0. */
  | { name: 'slides'; course: string; deck: string; slide: number }
  | { name: 'registry' }
  /** A recording, from a moment in seconds on. */
  | { name: 'recording'; session: string; terminal: string; at: number }
  | { name: 'unknown'; path: string };

/** Share links are told from sessions by their length. */
const TOKEN = /^[0-9a-f]{64}$/;

/** The route of a path such as `/s/abc`. */
export function parseRoute(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0) return { name: 'home' };
  const [first, second] = parts;
  if (first === 's' && second !== undefined && parts.length === 2) {
    const id = decode(second);
    if (id !== undefined) return TOKEN.test(id) ? { name: 'link' } : { name: 'session', id };
  }
  if (first === 'recordings' && parts.length <= 4 && parts.length !== 2) {
    if (parts.length === 1) return { name: 'recordings' };
    const [session, terminal] = [decode(second ?? ''), decode(parts[2] ?? '')];
    const at = Number(parts[3] ?? 0);
    if (session !== undefined && terminal !== undefined && Number.isFinite(at) && at >= 0) {
      return { name: 'recording', session, terminal, at };
    }
  }
  if (first === 'courses') return ofCourses(parts) ?? { name: 'unknown', path };
  if (first === 'registry' && parts.length === 1) return { name: 'registry' };
  return { name: 'unknown', path };
}

/** `/courses`, `/courses/c`, `/courses/c/labs/l`, `/courses/c/slides/d/3`. */
function ofCourses(parts: readonly string[]): Route | undefined {
  if (parts.length === 1) return { name: 'courses' };
  const [, course, name] = [undefined, decode(parts[1] ?? ''), decode(parts[3] ?? '')];
  if (course === undefined || name === undefined) return undefined;
  if (parts.length === 2) return { name: 'course', course };
  if (parts[2] === 'labs' && parts.length === 4) return { name: 'lab', course, lab: name };
  const slide = Number(parts[4] ?? 1) - 1;
  if (parts[2] !== 'slides' || parts.length < 4 || parts.length > 5 || !(slide >= 0)) return undefined;
  return { name: 'slides', course, deck: name, slide };
}

/** The path of a route. */
export function formatRoute(route: Route): string {
  switch (route.name) {
    case 'home':
      return '/';
    case 'session':
      return `/s/${encodeURIComponent(route.id)}`;
    case 'recordings':
      return '/recordings';
    case 'courses':
      return '/courses';
    case 'course':
      return `/courses/${encodeURIComponent(route.course)}`;
    case 'lab':
      return `/courses/${encodeURIComponent(route.course)}/labs/${encodeURIComponent(route.lab)}`;
    case 'slides': {
      const slide = route.slide > 0 ? `/${route.slide + 1}` : '';
      return `/courses/${encodeURIComponent(route.course)}/slides/${encodeURIComponent(route.deck)}${slide}`;
    }
    case 'registry':
      return '/registry';
    case 'recording': {
      const at = route.at > 0 ? `/${route.at}` : '';
      return `/recordings/${encodeURIComponent(route.session)}/${encodeURIComponent(route.terminal)}${at}`;
    }
    case 'link':
      return '/';
    case 'unknown':
      return route.path;
  }
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
