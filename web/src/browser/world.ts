//! The browser's own time, chance, HTTP and sockets, in the shapes that the model asks for.
import type { Answer, Clock, Http, OpenSocket, OpenStream, World } from '../model/ports';

const clock: Clock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** A call that has not been answered after this many milliseconds failed; the slowest is a cold start. */
const ANSWER = 60_000;

const http: Http = async (method, path, body) => {
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER),
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: parse(text), retryAfter: seconds(response.headers.get('retry-after')) };
};

function parse(text: string): Answer['body'] {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function seconds(header: string | null): number | undefined {
  const value = Number(header ?? 'none');
  return Number.isFinite(value) ? value : undefined;
}

const openSocket: OpenSocket = (path, events) => {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => events.opened();
  socket.onclose = (event) => events.closed(event.code, event.reason);
  socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
    if (typeof event.data === 'string') events.text(event.data);
    else events.bytes(new Uint8Array(event.data));
  };
  const whenOpen = (send: () => void) => socket.readyState === WebSocket.OPEN && send();
  return {
    sendText: (text) => whenOpen(() => socket.send(text)),
    sendBytes: (bytes) => whenOpen(() => socket.send(bytes as Uint8Array<ArrayBuffer>)),
    get unsent() {
      return socket.bufferedAmount;
    },
    close() {
      socket.onopen = socket.onclose = socket.onmessage = null;
      socket.close();
    },
  };
};

const openStream: OpenStream = (path, name, events) => {
  const source = new EventSource(path);
  source.addEventListener(name, (event: MessageEvent<string>) => events.event(parse(event.data)));
  // The browser would try again by itself, and never say why it may not: the model does it instead.
  source.onerror = () => {
    source.close();
    events.ended();
  };
  return () => source.close();
};

/** The world as the browser has it. */
export const browserWorld: World = { clock, chance: Math.random, http, openSocket, openStream };
