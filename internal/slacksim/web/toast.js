// Short notices in the corner. Errors stay longer and are announced at once.

import { el } from './dom.js';

const SHOWN = 6000;
const SHOWN_ERROR = 12000;
const MOST = 4;

/** Toasts owns the corner they appear in. */
export class Toasts {
  constructor(corner) {
    this.corner = corner;
  }

  /** say shows text; error makes it red and louder. */
  say(text, error = false) {
    if (!text) return;
    const close = () => node.remove();
    const node = el('div', { class: error ? 'toast error' : 'toast', role: error ? 'alert' : 'status', data: { testid: 'toast' } },
      el('span', { class: 'toast-mark', 'aria-hidden': 'true' }, error ? '!' : '✓'),
      el('span', null, text),
      el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Dismiss', onclick: close }, '✕'));
    this.corner.append(node);
    while (this.corner.children.length > MOST) this.corner.firstElementChild.remove();
    setTimeout(close, error ? SHOWN_ERROR : SHOWN);
  }
}
