// A list of messages with its composer: the channel in the middle and the thread on the right are
// both one. It keeps the reader's place: at the end it follows, further up it says what is new.

import { el, reconcile } from './dom.js';
import { day, dayKey, seconds } from './time.js';
import { isCard, message } from './message.js';

const TOGETHER = 5 * 60;
const NEAR_END = 80;

/** Pane shows messages; options: label, opensThreads, around, surface(m), deeds, empty() for an empty list. */
export class Pane {
  constructor(options) {
    Object.assign(this, options);
    this.notes = [];
    this.messages = [];
    this.seen = new Set();
    this.list = el('div', { class: 'messages', role: 'group', 'aria-label': options.label });
    this.scroller = el('div', { class: 'scroller', onscroll: () => this.scrolled() }, this.list);
    this.jump = el('button', { type: 'button', class: 'jump', hidden: true, onclick: () => this.toEnd('smooth') });
    this.node = el('div', { class: 'pane' }, this.scroller, this.jump);
    this.following = true;
    this.fresh = 0;
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.list);
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.scroller);
  }

  /** reset empties the pane for another channel or thread. */
  reset() {
    this.notes = [];
    this.messages = [];
    this.seen = new Set();
    this.loaded = false;
    this.following = true;
    this.list.replaceChildren();
    this.count(0);
  }

  /** show draws messages and returns those that were not there before (none the first time). */
  show(messages) {
    const first = !this.loaded;
    const news = first ? [] : messages.filter((m) => !this.seen.has(m.ts) && m.user !== this.around.me);
    messages.forEach((m) => this.seen.add(m.ts));
    this.loaded = true;
    this.messages = messages;
    this.draw();
    if (this.following) this.toEnd();
    else this.count(this.fresh + news.length);
    return news;
  }

  /** note adds a line that only this reader sees and the server does not keep: an error, mostly. */
  note(text, error) {
    this.notes.push({ ts: String(this.around.now()), text, note: true, ephemeral: true, error, username: this.noteAuthor, user: 'note' });
    this.draw();
    this.toEnd();
  }

  dismiss(note) {
    this.notes = this.notes.filter((n) => n !== note);
    this.draw();
  }

  /** draw renders what is known, again when the world around changed. */
  draw() {
    const items = this.items();
    if (items.length === 0 && this.loaded) items.push({ key: 'empty', sign: this.label, make: () => this.empty() });
    reconcile(this.list, items, { key: (i) => i.key, signature: (i) => i.sign, make: (i, old) => i.make(old) });
  }

  items() {
    const all = [...this.messages, ...this.notes].sort((a, b) => seconds(a.ts) - seconds(b.ts));
    const out = [];
    all.forEach((m, i) => {
      const before = all[i - 1];
      const apart = !before || dayKey(seconds(before.ts)) !== dayKey(seconds(m.ts));
      if (apart && !this.inThread) out.push(this.divider(m));
      out.push(this.row(m, !apart && together(before, m)));
      if (this.inThread && i === 0 && all.length > 1) out.push(this.replyCount(all.length - 1));
    });
    return out;
  }

  row(m, compact) {
    const sign = JSON.stringify([m, compact, this.around.me, this.around.version]);
    return { key: `m${m.ts}${m.ephemeral ? 'e' : ''}`, sign, make: (old) => message(m, old, this, compact) };
  }

  divider(m) {
    const words = day(seconds(m.ts), this.around.now());
    return { key: `d${dayKey(seconds(m.ts))}`, sign: words, make: () => el('div', { class: 'day', role: 'separator' }, el('span', null, words)) };
  }

  replyCount(n) {
    const words = `${n} ${n === 1 ? 'reply' : 'replies'}`;
    return { key: 'count', sign: words, make: () => el('div', { class: 'day left', role: 'separator' }, el('span', null, words)) };
  }

  /** toEnd goes to the newest message and follows from there. */
  toEnd(behavior = 'instant') {
    this.following = true;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior });
    this.count(0);
  }

  scrolled() {
    const left = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    const height = this.scroller.clientHeight;
    if (height === this.height) this.following = left < NEAR_END;
    this.height = height;
    if (this.following) this.count(0);
  }

  count(n) {
    this.fresh = n;
    this.jump.hidden = n === 0;
    this.jump.textContent = n === 1 ? '1 new message ↓' : `${n} new messages ↓`;
  }
}

function together(before, m) {
  if (before.note || m.note || before.user !== m.user || before.username !== m.username) return false;
  if (Boolean(before.ephemeral) !== Boolean(m.ephemeral) || isCard(before) || isCard(m)) return false;
  return seconds(m.ts) - seconds(before.ts) < TOGETHER && !(before.reply_count > 0);
}
