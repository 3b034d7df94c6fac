//! The address bar: which route is shown, and going to another without loading the page anew.
import { Observable, type Readable } from '../model/observable';
import { formatRoute, parseRoute, type Route } from '../model/routes';

const route = new Observable<Route>(parseRoute(location.pathname));

/** Where the page is. */
export const here: Readable<Route> = route;

/** Goes to a route. */
export function go(to: Route): void {
  history.pushState(null, '', formatRoute(to));
  route.set(to);
}

/** For links: a plain click goes by `go`, every other (new tab, new window) is the browser's. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(parseRoute(event.currentTarget.pathname));
}

addEventListener('popstate', () => route.set(parseRoute(location.pathname)));
