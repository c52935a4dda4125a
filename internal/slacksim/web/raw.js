// For people who write apps: what a message is made of, and what went over the wire, as JSON.

import { el } from './dom.js';
import { get } from './api.js';

const EVERY = 1000;
const MOST = 300;

/** sheet opens a dialog with a title; body is what it holds, closed() hears that it was closed. */
export function sheet(title, body, { className = '', testid = null, closed = null } = {}) {
  const dialog = el('dialog', { class: `sheet ${className}`, 'aria-labelledby': 'sheet-title', data: { testid }, onclose: () => {
    dialog.remove();
    closed?.();
  } },
  el('header', { class: 'sheet-head' }, el('h2', { id: 'sheet-title' }, title),
    el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Close', onclick: () => dialog.close() }, '✕')),
  el('div', { class: 'sheet-body' }, body));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** source shows a message as JSON, with a button that copies it. */
export function source(m) {
  const words = JSON.stringify(bare(m), null, 2);
  sheet('Message as JSON', [copies(words), json(words)], { className: 'wide', testid: 'source' });
}

/** bare leaves out what the message does not have, and what only the page knows. */
function bare(m) {
  const own = ['ts', 'thread_ts', 'user', 'username', 'text', 'blocks', 'attachments', 'metadata', 'files', 'reactions'];
  return Object.fromEntries(own.filter((k) => m[k] !== null && m[k] !== undefined && m[k] !== '').map((k) => [k, m[k]]));
}

function json(words) {
  return el('pre', { class: 'json', tabindex: '0' }, words);
}

function copies(words) {
  const button = el('button', { type: 'button', class: 'button', onclick: async () => {
    const done = await navigator.clipboard.writeText(words).then(() => true, () => false);
    button.textContent = done ? 'Copied' : 'Copying is not allowed here';
  } }, 'Copy');
  return el('div', { class: 'sheet-tools' }, button);
}

/** traffic follows what the app and the workspace say to each other until the dialog is closed. */
export function traffic() {
  const list = el('ol', { class: 'traffic', 'aria-label': 'Calls and envelopes, the newest first' });
  const empty = el('p', { class: 'empty' }, 'Nothing has been said yet.');
  const filter = el('input', { class: 'input', type: 'search', placeholder: 'Only those that contain…', 'aria-label': 'Filter', data: { testid: 'traffic-filter' }, oninput: () => sift(list, filter.value) });
  let last = 0;
  let ended = false;
  const look = async () => {
    if (ended) return;
    const { exchanges } = await get('traffic', { after: last }).catch(() => ({ exchanges: [] }));
    for (const x of exchanges) {
      last = x.number;
      list.prepend(row(x));
    }
    while (list.childElementCount > MOST) list.lastElementChild.remove();
    empty.hidden = list.childElementCount > 0;
    sift(list, filter.value);
    setTimeout(look, EVERY);
  };
  sheet('Raw payloads', [el('div', { class: 'sheet-tools' }, filter), empty, list], { className: 'wide', testid: 'traffic', closed: () => (ended = true) });
  look();
}

function row(x) {
  const sent = JSON.stringify(x.sent, null, 2);
  const answer = x.answer === undefined ? '' : JSON.stringify(x.answer, null, 2);
  const what = x.from === 'app' ? 'app → Slack' : 'Slack → app';
  const details = el('details', null,
    el('summary', null, el('span', { class: 'muted' }, new Date(x.at).toLocaleTimeString()), el('span', { class: `way ${x.from}` }, what), el('code', null, x.name), x.error && el('strong', { class: 'bad' }, x.error)),
    el('h3', null, x.from === 'app' ? 'Arguments' : 'Payload'), json(sent),
    answer && el('h3', null, x.from === 'app' ? 'Answer' : 'Ack'), answer && json(answer));
  const item = el('li', null, details);
  item.__words = `${x.name} ${x.error || ''} ${sent} ${answer}`.toLowerCase();
  return item;
}

function sift(list, words) {
  const want = words.trim().toLowerCase();
  for (const item of list.children) item.hidden = want !== '' && !item.__words.includes(want);
}
