// The modal: whatever view the server says is on top of this person's stack. What is typed into a
// view stays with its id, so that a view pushed on top and closed again loses nothing.

import { el } from './dom.js';
import { draw } from './blocks.js';
import { check } from './forms.js';
import { plainText } from './inline.js';
import { Refused } from './api.js';

/** Modals: options around, forms, press(view), submit(view, values), close(view). */
export class Modals {
  constructor(options) {
    Object.assign(this, options);
    this.view = null;
    this.dialog = el('dialog', { class: 'modal', 'aria-labelledby': 'modal-title', data: { testid: 'modal' }, oncancel: (e) => this.cancel(e) });
    document.body.append(this.dialog);
  }

  /** show opens, mends or (with null) closes the modal. */
  show(view) {
    if (!view) return this.hide();
    const same = this.view?.id === view.id;
    this.view = view;
    if (!same) this.build(view);
    this.title.replaceChildren(...[plainText(view.title, this.around)].flat(3));
    this.form.keepOnly(view.blocks || []);
    draw(this.blocks, view.blocks, this.surface);
    this.buttons(view);
    if (!this.dialog.open) this.dialog.showModal();
    if (!same) this.focusFirst();
  }

  hide() {
    this.view = null;
    if (this.dialog.open) this.dialog.close();
    this.dialog.replaceChildren();
  }

  build(view) {
    this.form = this.forms.of(`v-${view.id}`);
    this.surface = { name: `v-${view.id}`, form: this.form, around: this.around, press: this.press(view) };
    this.title = el('h2', { id: 'modal-title' });
    this.problem = el('p', { class: 'field-error', role: 'alert', hidden: true });
    this.blocks = el('div', { class: 'blocks' });
    this.foot = el('div', { class: 'dialog-buttons' });
    const back = Boolean(view.previous_view_id);
    this.dialog.replaceChildren(el('form', { class: 'modal-form', novalidate: true, onsubmit: (e) => (e.preventDefault(), this.send()) },
      el('header', { class: 'modal-head' },
        el('img', { src: '/icon.svg', alt: '' }), this.title,
        el('button', { type: 'button', class: back ? 'dismiss to-previous' : 'dismiss', 'aria-label': back ? 'Back' : 'Close', data: { testid: 'modal-dismiss' }, onclick: () => this.leave() }, back ? '‹' : '✕')),
      el('div', { class: 'modal-body', tabindex: '-1' }, this.problem, this.blocks), this.foot));
  }

  buttons(view) {
    const words = JSON.stringify([view.submit, view.close]);
    if (this.foot.__words === words && this.foot.children.length) return;
    this.foot.__words = words;
    this.foot.replaceChildren(
      el('button', { type: 'button', class: 'button', data: { testid: 'modal-close' }, onclick: () => this.leave() }, plainText(view.close || 'Close', this.around)),
      ...(view.submit ? [el('button', { type: 'submit', class: 'button primary', data: { testid: 'modal-submit' } }, plainText(view.submit, this.around))] : []));
  }

  focusFirst() {
    const wanted = this.blocks.querySelector('[autofocus]') || this.blocks.querySelector('input, textarea, select') || this.foot.lastElementChild;
    wanted?.focus();
  }

  cancel(event) {
    event.preventDefault();
    this.leave();
  }

  async leave() {
    const view = this.view;
    if (!view) return;
    this.forms.forget(`v-${view.id}`);
    await this.close(view);
  }

  async send() {
    const view = this.view;
    if (!view?.submit || this.busy) return;
    const wrong = check(view.blocks || [], this.form);
    this.complain(wrong);
    if (Object.keys(wrong).length) return;
    this.setBusy(true);
    try {
      const answer = await this.submit(view, this.form.values);
      this.complain(answer.errors || {});
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.complain(error.body?.errors || {}, error.body?.errors ? '' : error.message);
    } finally {
      this.setBusy(false);
    }
  }

  setBusy(on) {
    this.busy = on;
    const button = this.foot.querySelector('[type=submit]');
    if (on) button?.setAttribute('aria-busy', 'true');
    else button?.removeAttribute('aria-busy');
  }

  /** complain shows errors at their fields (and a sentence above), and leads to the first one. */
  complain(errors, sentence = '') {
    if (!this.view) return;
    const known = new Set((this.view.blocks || []).map((b) => b.block_id));
    const homeless = Object.entries(errors).filter(([id]) => !known.has(id)).map(([, words]) => words);
    const words = [sentence, ...homeless].filter(Boolean).join(' ');
    this.form.errors = errors;
    this.problem.textContent = words;
    this.problem.hidden = words === '';
    draw(this.blocks, this.view.blocks, this.surface);
    this.blocks.querySelector('.invalid :is(input, textarea, select, button)')?.focus();
  }
}
