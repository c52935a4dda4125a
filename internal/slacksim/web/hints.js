// The strip a first visitor sees: three steps that tick themselves off as they are done, in this tab or
// another one (two tabs are two people), until dismissed.

import { el } from './dom.js';

const KEY = 'cdcbot-demo-steps';

/** Hints: options strip (its node), names() of the people there are, breakIt() and become(name). */
export class Hints {
  constructor(options) {
    Object.assign(this, options);
    window.addEventListener('storage', (e) => e.key === KEY && this.show());
  }

  /** broke, asked and approved tick the steps; show draws them again. */
  broke() {
    this.mark({ broke: true });
  }

  /** pressed hears every button that the server took: a recommended (primary) one first, then another person's yes. */
  pressed(user, action) {
    const now = read();
    const approves = /approve/i.test(`${action.action_id} ${action.text?.text || ''}`);
    if (approves && now.asked && now.asked !== user) this.mark({ approved: true });
    else if (!approves && action.style === 'primary' && now.broke && !now.asked) this.mark({ asked: user });
  }

  /** again brings the strip back from the start. */
  again() {
    write({});
    this.show();
  }

  mark(change) {
    write({ ...read(), ...change });
    this.show();
  }

  show(possible = this.possible) {
    this.possible = possible;
    const now = read();
    this.strip.hidden = !possible || Boolean(now.dismissed);
    if (this.strip.hidden) return;
    const [oncall, approver] = this.names();
    const steps = [
      { done: now.broke, words: ['Break the pipeline'], act: ['Break it', () => this.breakIt()] },
      { done: now.asked, words: ['As ', el('b', null, oncall), ', press the recommended fix'], act: [`Be ${oncall}`, () => this.become(oncall)] },
      { done: now.approved, words: ['As ', el('b', null, approver), ', approve it'], act: [`Be ${approver}`, () => this.become(approver)] },
    ];
    const next = steps.findIndex((s) => !s.done);
    this.strip.replaceChildren(
      el('ol', null, steps.map((s, i) => step(s, i, i === next, this.current()))),
      next < 0 ? el('span', { class: 'hints-done' }, 'Two people agreed and the bot did the rest. Watch the thread.') : '',
      el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Hide these steps', onclick: () => this.mark({ dismissed: true }) }, '✕'));
  }
}

function step(s, i, next, current) {
  const already = s.act[0] === `Be ${current}`;
  return el('li', { class: s.done ? 'done' : next ? 'next' : '', 'aria-current': next ? 'step' : null },
    el('span', { class: 'step-mark', 'aria-label': s.done ? 'done' : null }, s.done ? '✓' : i + 1),
    el('span', null, s.words),
    next && !already && el('button', { type: 'button', class: 'step-act', onclick: s.act[1] }, s.act[0]));
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
}

function write(state) {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without storage (a private window) the strip simply forgets.
  }
}
