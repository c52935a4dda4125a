// The box one types into. A line that starts with "/" is a command and gets suggestions; everything
// else is a post. Enter sends, Shift+Enter breaks the line.

import { el } from './dom.js';

/**
 * Composer: options testid, label(), commands(), send(text) which throws with a sentence when refused, and
 * refused(sentence). The Up key in an empty box brings back what was sent last.
 */
export class Composer {
  constructor(options) {
    Object.assign(this, options);
    this.listID = `${this.testid}-list`;
    this.field = el('textarea', {
      class: 'composer-field', rows: '1', data: { testid: this.testid }, role: 'combobox', autocomplete: 'off', enterkeyhint: 'send',
      'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': this.listID,
      oninput: () => this.typed(), onkeydown: (e) => this.key(e), onbeforeinput: (e) => this.lineBreak(e), onblur: () => this.close(),
    });
    this.button = el('button', { type: 'button', class: 'send', 'aria-label': 'Send', title: 'Send (Enter)', disabled: true, onclick: () => this.submit() }, '➤');
    this.list = el('ul', { class: 'suggestions', role: 'listbox', id: this.listID, 'aria-label': 'Commands', hidden: true });
    this.node = el('div', { class: 'composer' }, this.list, el('div', { class: 'composer-box' }, this.field, this.button));
    this.refresh();
  }

  /** refresh rewrites the placeholder after the channel or person changed. */
  refresh() {
    this.field.placeholder = this.label();
    this.field.setAttribute('aria-label', this.label());
  }

  /** grow fits the box to its text where the browser does not do so by itself. */
  grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.field.style.setProperty('height', 'auto');
    this.field.style.setProperty('height', `${this.field.scrollHeight}px`);
  }

  typed() {
    this.grow();
    this.button.disabled = this.field.value.trim() === '';
    this.picked = -1;
    this.options = suggestions(this.field.value, this.commands());
    this.show();
  }

  show() {
    const options = this.options || [];
    this.list.hidden = options.length === 0;
    this.field.setAttribute('aria-expanded', String(options.length > 0));
    this.list.replaceChildren(...options.map((o, i) => el('li', {
      role: 'option', id: `${this.listID}-${i}`, 'aria-selected': String(i === this.picked), class: 'suggestion',
      onmousedown: (e) => (e.preventDefault(), this.take(o)),
    }, el('strong', null, o.shown), o.hint && el('span', { class: 'usage' }, o.hint), o.description && el('small', null, o.description))));
    if (this.picked >= 0) {
      this.field.setAttribute('aria-activedescendant', `${this.listID}-${this.picked}`);
      this.list.children[this.picked]?.scrollIntoView({ block: 'nearest' });
    } else this.field.removeAttribute('aria-activedescendant');
  }

  close() {
    this.options = [];
    this.picked = -1;
    this.show();
  }

  key(event) {
    const open = this.options?.length > 0;
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) return this.move(event);
    if (event.key === 'ArrowUp' && this.field.value === '' && this.last) return event.preventDefault(), this.set(this.last);
    if (open && event.key === 'Escape') return event.stopPropagation(), this.close();
    if (open && event.key === 'Tab' && !event.shiftKey) return event.preventDefault(), this.take(this.options[Math.max(0, this.picked)]);
    this.sends = event.key === 'Enter' && !event.shiftKey && !event.isComposing;
    if (!this.sends) return;
    event.preventDefault();
    const chosen = open && (this.picked >= 0 ? this.options[this.picked] : this.options.find((o) => o.complete));
    if (chosen) this.take(chosen);
    else this.submit();
  }

  /** lineBreak keeps the Enter that sends from also breaking a line: keyboards that type by script send both. */
  lineBreak(event) {
    if (this.sends && /^insert(LineBreak|Paragraph)$/.test(event.inputType)) event.preventDefault();
  }

  move(event) {
    event.preventDefault();
    const n = this.options.length;
    this.picked = event.key === 'ArrowDown' ? (this.picked + 1) % n : (this.picked <= 0 ? n : this.picked) - 1;
    this.show();
  }

  take(option) {
    this.field.value = option.text;
    this.field.focus();
    this.typed();
  }

  /** submit sends the text; a refused message comes back to be mended, a command (it may have run) does not. */
  async submit() {
    const text = this.field.value.trim();
    if (text === '' || this.sending) return;
    this.set('');
    this.last = text;
    this.sending = true;
    this.node.setAttribute('aria-busy', 'true');
    try {
      await this.send(text);
    } catch (error) {
      if (this.field.value === '' && !text.startsWith('/')) this.set(text);
      this.refused(error.message);
    } finally {
      this.sending = false;
      this.node.removeAttribute('aria-busy');
    }
  }

  set(text) {
    this.field.value = text;
    this.grow();
    this.button.disabled = text === '';
    this.close();
  }
}

/**
 * suggestions lists what text could become: commands while the name is typed ("/c"), then the words of the
 * command's usage hint ("/cdc st"). complete marks those that Enter should finish instead of sending.
 */
export function suggestions(text, commands) {
  if (!text.startsWith('/') || text.includes('\n')) return [];
  const space = text.indexOf(' ');
  if (space < 0) {
    return commands.filter((c) => c.command.startsWith(text)).map((c) => ({
      text: `${c.command} `, shown: c.command, hint: c.usage_hint, description: c.description, complete: c.command !== text,
    }));
  }
  const command = commands.find((c) => c.command === text.slice(0, space));
  const typed = text.slice(space + 1);
  if (!command || /\s/.test(typed.trim())) return [];
  return words(command.usage_hint)
    .filter((w) => w.name.startsWith(typed.trim()) && w.name !== typed.trim())
    .map((w) => ({ text: `${command.command} ${w.name} `, shown: `${command.command} ${w.name}`, hint: w.rest }));
}

/**
 * words splits a usage hint such as "status [connector] | pause|resume <connector>" into its verbs. Where bars
 * with spaces part the verbs, a bar without them parts only the verbs that share what follows.
 */
function words(hint) {
  const text = String(hint || '').replace(/…|\.\.\./g, '');
  const parts = text.includes(' | ') ? text.split(' | ') : text.split('|');
  return parts.flatMap((part) => {
    const [, verbs, rest] = /^\s*([a-z|-]*)\s*(.*?)\s*$/.exec(part);
    return verbs.split('|').map((name) => ({ name, rest }));
  }).filter((w) => w.name);
}
