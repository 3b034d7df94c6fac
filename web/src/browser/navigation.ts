//! The address bar: which route is shown, and going to another without loading the page anew.
import { Observable, type Readable } from '../model/observable';
import { formatRoute, parseRoute, type Route } from '../model/routes';

const route = new Observable<Route>(parseRoute(location.pathname));

/** Where the page is. */
export const here: Readable<Route> = route;

/** Who is asked before the page goes elsewhere. */
const guards = new Set<() => boolean>();

/** Asks `may` before the page goes elsewhere: `false` keeps it where it is. The return value takes that back. */
export function guard(may: () => boolean): () => void {
  guards.add(may);
  return () => guards.delete(may);
}

function mayLeave(): boolean {
  return [...guards].every((may) => may());
}

/** Goes to a route, if nobody minds. */
export function go(to: Route): void {
  if (!mayLeave()) return;
  history.pushState(null, '', formatRoute(to));
  route.set(to);
}

/** For links: a plain click goes by `go`, every other (new tab, new window) is the browser's. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(parseRoute(event.currentTarget.pathname));
}

addEventListener('popstate', () => {
  if (mayLeave()) route.set(parseRoute(location.pathname));
  // The browser has left already: back to where it was.
  else history.pushState(null, '', formatRoute(route.value));
});
