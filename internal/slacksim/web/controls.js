// The "break it" panel: the host of the workspace registers controls, and this shows them by group.

import { el, reconcile } from './dom.js';

/** Controls: options panel (its aside), toggle (its button), run(control) which may throw with a sentence. */
export class Controls {
  constructor(options) {
    Object.assign(this, options);
    this.busy = new Set();
    this.body = el('div', { class: 'controls-body' });
    this.panel.append(
      el('header', { class: 'controls-head' },
        el('div', null, el('h2', { id: 'controls-title' }, 'Break it'), el('p', null, 'Everything here is simulated: break the pipeline, then heal it in the channel.')),
        el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Close', onclick: () => this.open(false) }, '✕')),
      this.body);
    this.toggle.addEventListener('click', () => this.open(this.panel.hidden));
    document.addEventListener('keydown', (e) => e.key === 'Escape' && !e.defaultPrevented && !document.querySelector('dialog[open], :popover-open') && this.open(false));
  }

  open(on) {
    if (this.panel.hidden === !on) return;
    this.panel.hidden = !on;
    this.toggle.setAttribute('aria-expanded', String(on));
    document.body.classList.toggle('controls-open', on);
    if (on) this.panel.querySelector('button')?.focus({ preventScroll: true });
    else this.toggle.focus();
  }

  /** show draws the controls as the server lists them. */
  show(controls) {
    this.controls = controls;
    this.toggle.hidden = controls.length === 0;
    if (controls.length === 0) this.open(false);
    this.toggle.classList.toggle('lit', controls.some((c) => c.active));
    const groups = [...new Set(controls.map((c) => c.group || ''))].map((name) => ({ name, rows: controls.filter((c) => (c.group || '') === name) }));
    reconcile(this.body, groups, {
      key: (g) => g.name, signature: (g) => JSON.stringify(g) + [...this.busy], make: (g) => this.group(g),
    });
  }

  group(group) {
    return el('section', null, group.name && el('h3', null, group.name), group.rows.map((c) => this.control(c)));
  }

  control(c) {
    return el('button', {
      type: 'button', class: c.active ? 'control active' : 'control', 'aria-pressed': String(Boolean(c.active)),
      'aria-busy': this.busy.has(c.id) ? 'true' : null, data: { testid: `control-${c.id}` }, onclick: () => this.press(c),
    }, el('span', { class: 'lamp', 'aria-hidden': 'true' }),
      el('span', { class: 'control-words' }, el('strong', null, c.label), c.hint && el('small', null, c.hint)),
      c.active && el('span', { class: 'on' }, 'on'));
  }

  async press(control) {
    if (this.busy.has(control.id)) return;
    this.busy.add(control.id);
    this.show(this.controls);
    try {
      await this.run(control);
    } finally {
      this.busy.delete(control.id);
      this.show(this.controls);
    }
  }
}
