// One message as a node: who, when, what, and what hangs below it. It is mended in place when the
// message changes, so that a card that counts its steps does not blink.

import { el, link, reconcile, safeImage } from './dom.js';
import { draw } from './blocks.js';
import { glyph, QUICK } from './emoji.js';
import { mrkdwn, moment, text } from './inline.js';
import { clock, full, seconds } from './time.js';
import { typed } from './mrkdwn.js';
import { avatar } from './people.js';
import { file } from './files.js';
import { hang, menu } from './popover.js';

const RECENT = 3600;

/** message draws m into old or a new node. pane gives around, surfaces and the deeds (react, reply, edit …). */
export function message(m, old, pane, compact) {
  const node = old || shell(m, pane);
  node.className = classes(m, compact);
  node.__message = m;
  reconcile(node.querySelector('.m-content'), parts(m, pane, compact), {
    key: (p) => p.key, signature: (p) => p.sign, make: (p, before) => p.make(before),
  });
  return node;
}

function shell(m, pane) {
  const node = el('article', { data: { testid: 'message', ts: m.ts }, tabindex: '-1' },
    el('div', { class: 'm-avatar' }, avatar(author(m, pane.around)), el('time', { class: 'm-hover-time', title: full(seconds(m.ts)) }, clock(seconds(m.ts)))),
    el('div', { class: 'm-content' }));
  if (!m.ephemeral && !m.note) node.append(toolbar(node, pane));
  return node;
}

function classes(m, compact) {
  const names = ['message'];
  if (compact) names.push('compact');
  if (m.ephemeral) names.push('ephemeral');
  if (m.error) names.push('error');
  if (isCard(m)) names.push('card');
  return names.join(' ');
}

/** isCard tells whether a message is drawn as a framed card: an app speaking in blocks. */
export function isCard(m) {
  return Boolean(m.bot && (m.blocks?.length || m.attachments?.length));
}

function author(m, around) {
  const known = around.users.get(m.user);
  return { id: m.user || m.username, name: m.username || known?.name || 'unknown', color: known?.color, avatar: known?.avatar, is_bot: Boolean(m.bot || known?.is_bot), title: known?.title };
}

function parts(m, pane, compact) {
  const out = [];
  const add = (key, sign, make) => out.push({ key, sign: JSON.stringify(sign), make });
  if (m.ephemeral) add('only', 1, () => el('div', { class: 'm-only' }, el('span', { 'aria-hidden': 'true' }, '👁'), ' Only visible to you'));
  if (!compact) add('head', [m.user, m.username, m.pinned], () => head(m, pane));
  if (m.deleted) add('gone', 1, () => el('p', { class: 'muted' }, 'This message was deleted.'));
  else body(m, pane, add);
  if (m.reactions?.length) add('reactions', [m.reactions, pane.around.me], () => reactions(m, pane));
  if (m.reply_count > 0 && pane.opensThreads) add('bar', [m.reply_count, m.latest_reply, m.reply_users], () => replyBar(m, pane));
  return out;
}

function body(m, pane, add) {
  if (m.blocks?.length) {
    add('blocks', [m.blocks, pane.around.me], (before) => {
      const node = before || el('div', { class: 'blocks' });
      draw(node, m.blocks, pane.surface(m));
      return node;
    });
  } else if (m.text) {
    add('text', [m.text], () => el('div', { class: 'm-text' }, mrkdwn(m.text, pane.around)));
  }
  (m.attachments || []).forEach((a, i) => add(`attachment-${i}`, a, (before) => attachment(a, i, m, before, pane)));
  if (m.edited) add('edited', m.edited, () => el('div', { class: 'm-edited', title: m.edited.ts ? full(seconds(m.edited.ts)) : null }, '(edited)'));
  if (m.files?.length) add('files', m.files, () => el('div', { class: 'm-files' }, m.files.map(file)));
}

function head(m, pane) {
  const who = author(m, pane.around);
  const at = seconds(m.ts);
  const recent = pane.around.now() - at < RECENT;
  return el('header', { class: 'm-head' },
    el('strong', { class: 'm-name', title: who.title }, who.name),
    who.is_bot && el('span', { class: 'badge' }, 'app'),
    m.note ? null : el('time', { class: 'm-time', title: full(at), datetime: new Date(at * 1000).toISOString() }, clock(at)),
    !m.note && recent && el('span', { class: 'm-ago' }, moment(at, '{ago}', pane.around)),
    m.pinned && el('span', { class: 'm-pin', title: 'Pinned' }, '📌'),
    m.note && el('button', { type: 'button', class: 'dismiss', 'aria-label': 'Dismiss', onclick: () => pane.dismiss(m) }, '✕'));
}

const COLORS = { good: 'var(--good)', warning: 'var(--warn)', danger: 'var(--bad)' };

function attachment(a, i, m, before, pane) {
  const color = COLORS[a.color] || (/^#?[0-9a-f]{3,6}$/i.test(a.color || '') ? `#${a.color.replace('#', '')}` : 'var(--line-strong)');
  if (a.blocks?.length) {
    const node = before || el('div', { class: 'attachment' }, el('div', { class: 'blocks' }));
    node.style.setProperty('--bar', color);
    draw(node.firstElementChild, a.blocks, pane.surface(m));
    return node;
  }
  const image = safeImage(a.image_url);
  return el('div', { class: 'attachment', style: { '--bar': color } },
    a.pretext && el('div', null, mrkdwn(a.pretext, pane.around)),
    a.author_name && el('small', { class: 'muted' }, a.author_name),
    a.title && el('strong', null, a.title_link ? link(a.title_link, a.title) : a.title),
    a.text && el('div', null, mrkdwn(a.text, pane.around)),
    a.fields && el('div', { class: 'b-fields' }, a.fields.map((f) => el('div', { class: f.short ? null : 'wide' }, el('strong', null, f.title), el('div', null, mrkdwn(f.value, pane.around))))),
    image && el('img', { src: image, alt: a.fallback || a.title || '', loading: 'lazy' }),
    a.footer && el('small', { class: 'muted' }, a.footer));
}

function reactions(m, pane) {
  return el('div', { class: 'm-reactions' }, m.reactions.map((r) => {
    const mine = r.users.includes(pane.around.me);
    const names = r.users.map((id) => pane.around.users.get(id)?.name || id).join(', ');
    return el('button', {
      type: 'button', class: mine ? 'reaction mine' : 'reaction', 'aria-pressed': String(mine), title: `${names} reacted with :${r.name}:`,
      onclick: () => pane.deeds.react(m, r.name, mine),
    }, el('span', { class: 'emoji' }, glyph(r.name) || `:${r.name}:`), el('span', null, r.users.length));
  }));
}

function replyBar(m, pane) {
  const users = (m.reply_users || []).slice(0, 4);
  const last = m.latest_reply && seconds(m.latest_reply);
  return el('button', { type: 'button', class: 'reply-bar', data: { testid: 'reply-bar' }, onclick: () => pane.deeds.openThread(m) },
    el('span', { class: 'reply-faces' }, users.map((id) => avatar(pane.around.users.get(id) || { id, name: id }))),
    el('strong', null, `${m.reply_count} ${m.reply_count === 1 ? 'reply' : 'replies'}`),
    last && el('span', { class: 'muted' }, '· latest ', moment(last, '{ago}', pane.around)),
    el('span', { class: 'reply-open', 'aria-hidden': 'true' }, 'View thread ›'));
}

function toolbar(node, pane) {
  const button = (label, sign, run) => el('button', { type: 'button', class: 'tool', 'aria-label': label, title: label, onclick: run }, sign);
  return el('div', { class: 'toolbar', role: 'group', 'aria-label': 'Message actions' },
    button('Add a reaction', '☺', (e) => pickReaction(e.currentTarget, node, pane)),
    pane.opensThreads && button('Reply in thread', '↩', () => pane.deeds.openThread(node.__message)),
    button('More', '⋯', (e) => more(e.currentTarget, node.__message, node, pane)));
}

function pickReaction(anchor, node, pane) {
  const choose = (name) => () => {
    panel.hidePopover();
    pane.deeds.react(node.__message, name, false);
  };
  const panel = hang(anchor, el('div', { class: 'quick' }, QUICK.map((name) =>
    el('button', { type: 'button', class: 'tool', title: `:${name}:`, 'aria-label': name.replaceAll('_', ' '), onclick: choose(name) }, glyph(name)))));
  panel.querySelector('button').focus();
}

function more(anchor, m, node, pane) {
  const mine = m.user === pane.around.me && !m.deleted;
  menu(anchor, 'Message actions', [
    { label: 'Add a reaction', run: () => pickReaction(anchor, node, pane) },
    pane.opensThreads && { label: 'Reply in thread', run: () => pane.deeds.openThread(m) },
    ...pane.deeds.shortcuts().map((s) => ({ label: s.name, hint: s.description, run: () => pane.deeds.shortcut(m, s) })),
    { label: m.pinned ? 'Unpin from channel' : 'Pin to channel', run: () => pane.deeds.pin(m) },
    { label: 'Show as JSON', hint: 'What the message is made of', testid: 'as-json', run: () => pane.deeds.source(m) },
    mine && { label: 'Edit message', run: () => edit(m, node, pane) },
    mine && { label: 'Delete message', danger: true, run: () => pane.deeds.remove(m) },
  ].filter(Boolean));
}

function edit(m, node, pane) {
  const body = node.querySelector('.m-text');
  const before = typed(m.text, pane.around);
  const field = el('textarea', { class: 'input', rows: '3', 'aria-label': 'Edit message', value: before });
  const done = () => form.isConnected && form.replaceWith(body);
  const save = async () => {
    if (field.value.trim() && field.value !== before) await pane.deeds.edit(m, field.value);
    done();
  };
  const form = el('div', {
    class: 'edit', onkeydown: (e) => {
      if (e.key === 'Escape') done();
      if (e.key === 'Enter' && !e.shiftKey) e.preventDefault(), save();
    },
  }, field, el('div', { class: 'dialog-buttons' },
    el('button', { type: 'button', class: 'button', onclick: done }, 'Cancel'),
    el('button', { type: 'button', class: 'button primary', onclick: save }, 'Save')));
  if (!body) return;
  Object.assign(form, { __key: body.__key, __signature: body.__signature }); // an update elsewhere in the message leaves the half-typed edit alone
  body.replaceWith(form);
  field.focus();
}

/** spoken is the line a screen reader hears for a new message. */
export function spoken(m, around) {
  const holder = el('div', null, text(m.text || firstWords(m.blocks), around));
  return `${author(m, around).name}: ${holder.textContent.slice(0, 200)}`;
}

function firstWords(blocks) {
  return (blocks || []).map((b) => b.text?.text).find(Boolean) || 'a new message';
}
