// What can be done from the keyboard besides Tab and Enter, as one table: it is obeyed, and shown by "?".

import { el } from './dom.js';
import { sheet } from './raw.js';

/** Keys obeys the keyboard; app offers the deeds. */
export class Keys {
  constructor(app) {
    this.table = [
      { key: '?', words: 'Show this help', run: () => this.help() },
      { key: '/', words: 'Write a command', run: () => app.writes('/') },
      { key: 'c', words: 'Write a message', run: () => app.writes('') },
      { key: 'j', words: 'To the next message', run: () => walk(1) },
      { key: 'k', words: 'To the message before', run: () => walk(-1) },
      { key: 't', words: 'Open the thread of the message', run: () => app.threadOf(document.activeElement?.closest('.message')?.__message) },
      { key: 'u', words: 'Be somebody else', run: () => document.getElementById('person').click() },
      { key: 'h', words: 'Open the App Home', run: () => app.deeds.openHome() },
      { key: 'r', words: 'Show the raw payloads', run: () => app.payloads() },
    ];
    document.addEventListener('keydown', (event) => this.hear(event));
  }

  hear(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest('input, textarea, select, [contenteditable], dialog, [popover], [role=menu]')) return;
    const entry = this.table.find((e) => e.key === event.key);
    if (!entry) return;
    event.preventDefault();
    entry.run();
  }

  help() {
    const rows = [...this.table, { key: 'Esc', words: 'Close the thread, a menu or a form' }, { key: 'Enter', words: 'Send; with Shift a new line' }, { key: '↑ ↓', words: 'Move in menus and lists of commands' }];
    sheet('Keyboard', el('dl', { class: 'keys' }, rows.map((r) => el('div', null, el('dt', null, el('kbd', null, r.key)), el('dd', null, r.words)))), { testid: 'keys' });
  }
}

/** walk moves the focus from one message to the next in the same list; without one it begins at the end. */
function walk(step) {
  const here = document.activeElement?.closest('.message');
  const list = here?.parentElement || document.querySelector('#thread:not([hidden]) .messages, #main .messages');
  const all = [...(list?.querySelectorAll(':scope > .message') || [])];
  if (all.length === 0) return;
  const at = here ? all.indexOf(here) + step : all.length - 1;
  const next = all[Math.min(Math.max(at, 0), all.length - 1)];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}
