// Small panels that hang from a button: menus, pickers. The browser's own popover gives the top
// layer, light dismiss and Escape; this file adds the place and the arrow keys.

import { el } from './dom.js';

const GAP = 6;
const EDGE = 8;

/** hang shows content below (or above) anchor until dismissed, and returns the panel; options: class, closed(), end (align the right edges). */
export function hang(anchor, content, options = {}) {
  const panel = el('div', { class: `popover ${options.class || ''}`, popover: 'auto' }, content);
  (anchor.closest('dialog') || document.body).append(panel);
  anchor.setAttribute('aria-expanded', 'true');
  panel.addEventListener('toggle', (event) => {
    if (event.newState !== 'closed') return;
    anchor.setAttribute('aria-expanded', 'false');
    if (panel.contains(document.activeElement)) anchor.focus();
    panel.remove();
    options.closed?.();
  });
  panel.showPopover();
  place(anchor, panel, options.end);
  return panel;
}

function place(anchor, panel, end) {
  const at = anchor.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  const below = at.bottom + GAP;
  const fits = below + size.height <= window.innerHeight - EDGE;
  const top = fits ? below : Math.max(EDGE, at.top - size.height - GAP);
  panel.style.setProperty('top', `${top}px`);
  if (end) return panel.style.setProperty('right', `${Math.max(EDGE, window.innerWidth - at.right)}px`);
  const left = Math.min(Math.max(EDGE, at.left), window.innerWidth - size.width - EDGE);
  panel.style.setProperty('left', `${Math.max(EDGE, left)}px`);
}

/**
 * menu hangs a list of items {label, hint?, icon?, checked?, danger?, testid?, href?, run}: choosing one
 * closes the menu and runs it.
 */
export function menu(anchor, label, items) {
  const body = el('div', { role: 'menu', 'aria-label': label, class: 'menu', onkeydown: walk });
  const panel = hang(anchor, body);
  body.append(...items.map((item) => menuItem(item, panel)));
  place(anchor, panel);
  (body.querySelector('[aria-checked=true]') || body.querySelector('[role^=menuitem]'))?.focus();
  return panel;
}

function menuItem(item, panel) {
  const choose = () => {
    panel.hidePopover();
    item.run();
  };
  return el('button', {
    type: 'button', class: item.danger ? 'menu-item danger' : 'menu-item',
    role: item.checked === undefined ? 'menuitem' : 'menuitemradio',
    'aria-checked': item.checked === undefined ? null : String(item.checked),
    data: { testid: item.testid, 'action-id': item.action }, onclick: choose,
  }, item.icon, el('span', { class: 'menu-words' }, el('span', null, item.label), item.hint && el('small', null, item.hint)), item.checked && el('span', { class: 'tick' }, '✓'));
}

/** walk moves the focus among the items of a menu or list with the arrow, Home and End keys. */
export function walk(event) {
  const items = [...event.currentTarget.querySelectorAll('button, input, a')].filter((n) => !n.disabled);
  const now = items.indexOf(document.activeElement);
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined || items.length === 0) return;
  event.preventDefault();
  items[(next + items.length) % items.length].focus();
}
