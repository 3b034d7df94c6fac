//! The page's addresses. Without `#`: the server answers each of them with `index.html`.

/** A place in the page. */
export type Route = { name: 'home' } | { name: 'session'; id: string } | { name: 'unknown'; path: string };

/** The route of a path such as `/s/abc`. */
export function parseRoute(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0) return { name: 'home' };
  const [first, second] = parts;
  if (first === 's' && second !== undefined && parts.length === 2) {
    const id = decode(second);
    if (id !== undefined) return { name: 'session', id };
  }
  return { name: 'unknown', path };
}

/** The path of a route. */
export function formatRoute(route: Route): string {
  switch (route.name) {
    case 'home':
      return '/';
    case 'session':
      return `/s/${encodeURIComponent(route.id)}`;
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
