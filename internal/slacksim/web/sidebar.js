// The left column and the person switcher: where one is, and who.

import { el, reconcile } from './dom.js';
import { avatar } from './people.js';
import { hang, walk } from './popover.js';

/** sidebar draws channels, apps and people into node. deeds: openChannel(c), openHome(). */
export function sidebar(node, { state, route, unread, deeds }) {
  const rows = [
    title('Channels'), ...state.channels.filter((c) => !direct(c)).map((c) => channel(c, route, unread, deeds)),
    title('Apps'), ...state.users.filter((u) => u.is_bot).map((u) => app(u, state, route, deeds)),
    ...state.channels.filter(direct).map((c) => channel(c, route, unread, deeds)),
    title('People'), ...state.users.filter((u) => !u.is_bot && !u.deleted).map((u) => person(u, state)),
  ];
  reconcile(node, rows, { key: (r) => r.key, signature: (r) => r.sign, make: (r) => r.make() });
}

/** direct tells a direct message with an app from a channel, by Slack's letter. */
export function direct(c) {
  return c.id.startsWith('D');
}

function title(words) {
  return { key: `t-${words}`, sign: '', make: () => el('h2', { class: 'side-title' }, words) };
}

function channel(c, route, unread, deeds) {
  const here = !route.home && route.channel === c.id;
  const fresh = here ? 0 : Math.max(Number(c.unread) || 0, unread.get(c.id) || 0);
  return {
    key: c.id, sign: JSON.stringify([c.name, here, fresh]),
    make: () => el('button', { type: 'button', class: fresh ? 'side-row fresh' : 'side-row', 'aria-current': here ? 'page' : null, title: c.topic, data: { testid: `channel-${c.name}` }, onclick: () => deeds.openChannel(c) },
      el('span', { class: 'side-sign', 'aria-hidden': 'true' }, direct(c) ? '✉' : '#'), el('span', { class: 'side-name' }, direct(c) ? 'Direct messages' : c.name),
      fresh > 0 && el('span', { class: 'count', 'aria-label': `${fresh} unread` }, fresh > 99 ? '99+' : fresh)),
  };
}

function app(u, state, route, deeds) {
  const status = state.connected ? 'online' : 'offline';
  return {
    key: u.id, sign: JSON.stringify([u, state.connected, route.home]),
    make: () => el('button', { type: 'button', class: 'side-row', 'aria-current': route.home ? 'page' : null, data: { testid: 'home' }, onclick: () => deeds.openHome(u) },
      avatar(u), el('span', { class: 'side-name' }, u.name), el('span', { class: `presence ${status}`, title: `${u.name} is ${status}` }, status)),
  };
}

function person(u, state) {
  const me = u.id === state.me.id;
  return {
    key: u.id, sign: JSON.stringify([u, me]),
    make: () => el('div', { class: 'side-row still', title: u.title || u.real_name }, avatar(u), el('span', { class: 'side-name' }, u.name), me && el('span', { class: 'you' }, 'you')),
  };
}

/** personSwitch fills button with "You are: ● name" and hangs the list of people from it. */
export function personSwitch(button, { state, become, address }) {
  button.replaceChildren(el('span', { class: 'you-are' }, 'You are'), avatar(state.me), el('strong', null, state.me.name), el('span', { 'aria-hidden': 'true' }, '▾'));
  button.title = 'Switch person';
  button.onclick = () => {
    const rows = el('div', { class: 'menu people', role: 'menu', 'aria-label': 'Switch person', onkeydown: walk });
    const panel = hang(button, [el('p', { class: 'menu-title' }, 'Play another person'), rows], { end: true });
    rows.append(...state.users.filter((u) => !u.is_bot && !u.deleted).map((u) => choice(u, state, become, address, panel)));
    rows.querySelector('[aria-checked=true]')?.focus();
  };
}

function choice(u, state, become, address, panel) {
  const me = u.id === state.me.id;
  const choose = () => {
    panel.hidePopover();
    become(u);
  };
  return el('div', { class: 'person-row', role: 'none' },
    el('button', { type: 'button', class: 'menu-item', role: 'menuitemradio', 'aria-checked': String(me), data: { testid: `person-${u.name}` }, onclick: choose },
      avatar(u), el('span', { class: 'menu-words' }, el('span', null, u.name), el('small', null, u.title || u.real_name || '')), me && el('span', { class: 'tick' }, '✓')),
    el('a', { class: 'new-tab', href: address(u), target: '_blank', rel: 'noopener', title: `Open a second tab as ${u.name}`, 'aria-label': `Open a second tab as ${u.name}` }, '↗'));
}
