// Draws the trees of mrkdwn.js, markdown.js and rich text. `around` is the page's knowledge
// (people, channels, who looks, the time), so that <@U…> becomes a name and a date becomes local.

import { el, link } from './dom.js';
import { glyph } from './emoji.js';
import { dateToken, full, seconds } from './time.js';
import { parse } from './mrkdwn.js';
import { parseMarkdown } from './markdown.js';

/** text draws a Slack text object ({type, text}) or a bare string as mrkdwn. */
export function text(object, around) {
  if (object === null || object === undefined) return null;
  if (typeof object === 'string') return mrkdwn(object, around);
  return object.type === 'plain_text' ? plainText(object, around) : mrkdwn(object.text, around);
}

/** plainText draws text whose only magic is :emoji:. */
export function plainText(object, around) {
  const value = typeof object === 'string' ? object : object?.text ?? '';
  if (object?.emoji === false) return [value];
  return value.split(/(:[a-z0-9_+'-]+(?:::skin-tone-[2-6])?:)/).map((part, i) =>
    i % 2 === 1 ? inline([{ type: 'emoji', name: part.slice(1, -1) }], around) : part);
}

/** mrkdwn draws a mrkdwn string. */
export function mrkdwn(value, around) {
  return parse(value).map((block) => {
    if (block.type === 'pre') return pre(block.text);
    const lines = block.lines.flatMap((line, i) => (i ? [el('br'), inline(line, around)] : [inline(line, around)]));
    return block.type === 'quote' ? el('blockquote', null, lines) : el('span', { class: 'lines' }, lines);
  });
}

/** pre is preformatted text that scrolls sideways and can be reached with the keyboard. */
export function pre(value) {
  return el('pre', { tabindex: '0' }, el('code', null, value));
}

const NODES = {
  text: (n) => breaks(n.text),
  bold: (n, a) => el('strong', null, inline(n.children, a)),
  italic: (n, a) => el('em', null, inline(n.children, a)),
  strike: (n, a) => el('s', null, inline(n.children, a)),
  code: (n) => el('code', null, n.text),
  link: (n, a) => link(n.url, inline(n.children, a)),
  emoji: (n) => emoji(n.name, n.unicode),
  user: (n, a) => person(n, a),
  group: (n) => mention(n.label || `@${n.id}`),
  channel: (n, a) => el('span', { class: 'mention' }, `#${a.channels.get(n.id)?.name || n.label || n.id}`),
  broadcast: (n) => mention(`@${(n.label || n.range).replace(/^@/, '')}`, true),
  date: (n, a) => date(n, a),
};

/** inline draws a list of inline nodes. */
export function inline(nodes, around) {
  return nodes.map((node) => (NODES[node.type] ? NODES[node.type](node, around) : null));
}

function breaks(value) {
  return value.split('\n').flatMap((line, i) => (i ? [el('br'), line] : [line]));
}

function emoji(name, unicode) {
  const char = glyph(name) || fromCodes(unicode);
  if (!char) return `:${name}:`;
  return el('span', { class: 'emoji', role: 'img', 'aria-label': name.replaceAll('_', ' '), title: `:${name}:` }, char);
}

function fromCodes(codes) {
  if (!/^[0-9a-f]{2,6}(-[0-9a-f]{2,6})*$/i.test(codes || '')) return '';
  const points = codes.split('-').map((code) => Number.parseInt(code, 16));
  return points.every((p) => p <= 0x10ffff) ? String.fromCodePoint(...points) : '';
}

function person(node, around) {
  const known = around.users.get(node.id);
  return mention(`@${known?.name || node.label || node.id}`, node.id === around.me);
}

function mention(label, me) {
  return el('span', { class: me ? 'mention mention-me' : 'mention' }, label);
}

function date(node, around) {
  const shown = dateToken(node.at, node.pattern, around.now());
  if (shown === null) return node.fallback;
  const live = node.pattern.includes('{ago}') ? { at: node.at, pattern: node.pattern } : null;
  const time = el('time', { datetime: new Date(node.at * 1000).toISOString(), title: full(node.at), data: live }, shown);
  return node.url ? link(node.url, time) : time;
}

/** markdown draws a standard Markdown string. */
export function markdown(value, around) {
  return drawBlocks(parseMarkdown(value), around);
}

const BLOCKS = {
  rule: () => el('hr'),
  pre: (b) => pre(b.text),
  heading: (b, a) => el(`h${Math.min(6, b.level + 2)}`, { class: `md-h${b.level}` }, inline(b.inline, a)),
  paragraph: (b, a) => el('p', null, inline(b.inline, a)),
  quote: (b, a) => el('blockquote', null, drawBlocks(b.blocks, a)),
  list: (b, a) => el('ul', { class: 'list' }, b.items.map((item) => markdownItem(item, a))),
  table: (b, a) => markdownTable(b, a),
};

function drawBlocks(blocks, around) {
  return blocks.map((block) => BLOCKS[block.type](block, around));
}

function markdownItem(item, around) {
  const mark = item.done !== null ? (item.done ? '☑' : '☐') : item.number !== null ? `${item.number}.` : '•';
  return listItem(mark, item.indent, inline(item.inline, around));
}

/** listItem is one line of a list, with its own mark and depth. */
export function listItem(mark, indent, children) {
  return el('li', { style: { '--indent': String(indent) } }, el('span', { class: 'mark' }, mark), el('div', null, children));
}

function markdownTable(block, around) {
  const cell = (name) => (content, i) => el(name, { class: `align-${block.align[i] || 'left'}` }, inline(content, around));
  const [head, ...rows] = block.rows;
  return el('div', { class: 'table-scroll', tabindex: '0' },
    el('table', null,
      el('thead', null, el('tr', null, head.map(cell('th')))),
      el('tbody', null, rows.map((row) => el('tr', null, row.map(cell('td')))))));
}

/** moment is a <time> whose words are refreshed as time passes (see refreshTimes). */
export function moment(ts, pattern, around) {
  const at = seconds(ts);
  return el('time', { datetime: new Date(at * 1000).toISOString(), title: full(at), data: { at, pattern } },
    dateToken(at, pattern, around.now()));
}

/** refreshTimes rewrites every relative time below root. */
export function refreshTimes(root, now) {
  for (const node of root.querySelectorAll('time[data-at]')) {
    const shown = dateToken(Number(node.getAttribute('data-at')), node.getAttribute('data-pattern'), now);
    if (shown !== null && node.textContent !== shown) node.textContent = shown;
  }
}
