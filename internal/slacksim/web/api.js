// The page's half of the talk with the server: JSON over GET and POST below /sim/, and one
// stream of server-sent events that comes back by itself.

const FIRST_RETRY = 500;
const LAST_RETRY = 8000;
const EVENTS = ['message', 'ephemeral', 'view', 'home', 'toast', 'controls', 'connected'];

/** Refused is an answer {ok:false}: its message is the server's sentence, body the whole answer. */
export class Refused extends Error {
  constructor(message, body) {
    super(message);
    this.body = body;
  }
}

/** get reads path with query parameters; it throws Refused, with a sentence, when there is no good answer. */
export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  return answer(await reach(`/sim/${path}?${new URLSearchParams(given)}`));
}

/** post sends body as JSON to path; it throws Refused like get. */
export async function post(path, body) {
  return answer(await reach(`/sim/${path}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  }));
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new Refused('The workspace does not answer. Is the process that serves this page still running?');
  }
}

async function answer(response) {
  const body = await response.json().catch(() => null);
  if (!body) throw new Refused(`The workspace answered ${response.status} without a readable body.`);
  if (body.ok === false || !response.ok) throw new Refused(body.error || `The workspace answered ${response.status}.`, body);
  return body;
}

/**
 * Stream follows /sim/events of one user. on[name](data) hears each event, live(true|false) the state of
 * the line, resync() every opening: what happened since the page last read must be fetched.
 */
export class Stream {
  constructor(user, on) {
    this.user = user;
    this.on = on;
    this.retry = FIRST_RETRY;
    this.open();
  }

  open() {
    this.source = new EventSource(`/sim/events?${new URLSearchParams({ user: this.user })}`);
    this.source.onopen = () => this.up();
    this.source.onerror = () => this.down();
    for (const name of EVENTS) {
      this.source.addEventListener(name, (event) => this.on[name]?.(parse(event.data)));
    }
  }

  up() {
    this.retry = FIRST_RETRY;
    this.on.live(true);
    this.on.resync();
  }

  down() {
    this.on.live(false);
    if (this.source.readyState !== EventSource.CLOSED) return;
    this.timer = setTimeout(() => this.open(), this.retry);
    this.retry = Math.min(this.retry * 2, LAST_RETRY);
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}
