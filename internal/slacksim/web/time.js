// How the page says when: a ts or Unix seconds in, words out. Clocks are 24-hour, because two
// people who compare notes at night should read the same digits.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LOCALE = 'en-GB';

/** seconds turns a Slack ts ("1763877600.000100") or a number into Unix seconds. */
export function seconds(ts) {
  const n = Number.parseFloat(ts);
  return Number.isFinite(n) ? n : 0;
}

/** ago says how long before `now` (Unix seconds) something was, in the largest sensible unit. */
export function ago(at, now) {
  const passed = now - at;
  if (passed < 0) return inFuture(-passed);
  if (passed < 45) return 'just now';
  if (passed < 90 * MINUTE) return `${Math.max(1, Math.round(passed / MINUTE))} min ago`;
  if (passed < 36 * HOUR) return `${Math.round(passed / HOUR)} h ago`;
  return `${Math.round(passed / DAY)} days ago`;
}

function inFuture(left) {
  if (left < 45) return 'in a moment';
  if (left < 90 * MINUTE) return `in ${Math.max(1, Math.round(left / MINUTE))} min`;
  if (left < 36 * HOUR) return `in ${Math.round(left / HOUR)} h`;
  return `in ${Math.round(left / DAY)} days`;
}

/** clock is HH:MM in the reader's zone. */
export function clock(at) {
  return format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

/** full is the whole date and time with its zone, for titles. */
export function full(at) {
  return format(at, {
    weekday: 'long', day: 'numeric', month: 'long', year: 'numeric',
    hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short',
  });
}

/** dayKey is equal for two moments of one calendar day in the reader's zone. */
export function dayKey(at) {
  const d = new Date(at * 1000);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
}

/** day names a date for a divider: Today, Yesterday, or the date. */
export function day(at, now) {
  const near = nearDay(at, now);
  if (near) return near[0].toUpperCase() + near.slice(1);
  return format(at, { weekday: 'long', day: 'numeric', month: 'long' });
}

function nearDay(at, now) {
  const key = dayKey(at);
  if (key === dayKey(now)) return 'today';
  if (key === dayKey(now - DAY)) return 'yesterday';
  if (key === dayKey(now + DAY)) return 'tomorrow';
  return '';
}

const TOKENS = {
  date_num: (at) => dayKey(at),
  date: (at) => format(at, { day: 'numeric', month: 'long', year: 'numeric' }),
  date_slash: (at) => format(at, { day: '2-digit', month: '2-digit', year: 'numeric' }),
  date_short: (at) => format(at, { day: 'numeric', month: 'short', year: 'numeric' }),
  date_long: (at) => format(at, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }),
  date_pretty: (at, now) => nearDay(at, now) || TOKENS.date(at),
  date_short_pretty: (at, now) => nearDay(at, now) || TOKENS.date_short(at),
  date_long_pretty: (at, now) => nearDay(at, now) || TOKENS.date_long(at),
  day_divider_pretty: (at, now) => nearDay(at, now) || format(at, { weekday: 'long', day: 'numeric', month: 'long' }),
  time: (at) => clock(at),
  time_secs: (at) => format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }),
  ago: (at, now) => ago(at, now),
};

/**
 * dateToken fills the {tokens} of Slack's <!date^…> format (docs.slack.dev/messaging/formatting-message-text).
 * It returns null when the timestamp or a token is unknown: the caller then shows the fallback, as Slack does.
 */
export function dateToken(at, pattern, now) {
  if (!Number.isFinite(at)) return null;
  let known = true;
  const text = pattern.replace(/\{(\w+)\}/g, (_, name) => {
    if (TOKENS[name]) return TOKENS[name](at, now);
    known = false;
    return '';
  });
  return known ? text : null;
}

function format(at, options) {
  return new Intl.DateTimeFormat(LOCALE, options).format(new Date(at * 1000));
}

function pad(n) {
  return String(n).padStart(2, '0');
}
