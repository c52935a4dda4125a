// The small "are you sure" of Block Kit's confirm object, and of the page's own questions.

import { el } from './dom.js';
import { text } from './inline.js';

/** confirm asks with a Block Kit confirm object and resolves to true only for yes. */
export function confirm(spec, around) {
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      dialog.close();
      resolve(yes);
    };
    const dialog = el('dialog', { class: 'confirm', 'aria-labelledby': 'confirm-title', oncancel: () => resolve(false), onclose: () => dialog.remove(), data: { testid: 'confirm' } },
      el('h2', { id: 'confirm-title' }, text(spec.title, around)),
      el('div', { class: 'confirm-text' }, text(spec.text, around)),
      el('div', { class: 'dialog-buttons' },
        el('button', { type: 'button', class: 'button', data: { testid: 'confirm-deny' }, onclick: answer(false) }, text(spec.deny, around) || 'Cancel'),
        el('button', { type: 'button', class: `button ${spec.style === 'danger' ? 'danger' : 'primary'}`, data: { testid: 'confirm-yes' }, onclick: answer(true), autofocus: true }, text(spec.confirm, around) || 'Yes')));
    document.body.append(dialog);
    dialog.showModal();
  });
}
