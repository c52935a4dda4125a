// rich_text blocks (docs.slack.dev/reference/block-kit/blocks/rich-text-block): already a tree,
// so nothing is parsed here and a trace full of asterisks stays a trace.

import { el, link } from './dom.js';
import { inline, listItem } from './inline.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const ROMAN = ['i', 'ii', 'iii', 'iv', 'v', 'vi', 'vii', 'viii', 'ix', 'x'];

const PARTS = {
  rich_text_section: (part, around) => el('div', { class: 'rt-section' }, leaves(part.elements, around)),
  rich_text_preformatted: (part, around) => el('pre', { tabindex: '0' }, el('code', null, leaves(part.elements, around))),
  rich_text_quote: (part, around) => el('blockquote', null, leaves(part.elements, around)),
  rich_text_list: (part, around) => list(part, around),
};

/** richText draws the elements of a rich_text block or table cell. */
export function richText(block, around) {
  return (block.elements || []).map((part) =>
    PARTS[part.type] ? PARTS[part.type](part, around) : el('span', { class: 'unsupported' }, `unsupported rich text: ${part.type}`));
}

function list(part, around) {
  const indent = part.indent || 0;
  const items = (part.elements || []).map((item, i) =>
    listItem(mark(part, indent, i + (part.offset || 0)), indent, leaves(item.elements, around)));
  return el('ul', { class: part.border ? 'list rt-border' : 'list' }, items);
}

function mark(part, indent, n) {
  if (part.style !== 'ordered') return ['•', '◦', '▪'][indent % 3];
  if (indent % 3 === 1) return `${LETTERS[n % LETTERS.length]}.`;
  if (indent % 3 === 2) return `${ROMAN[n % ROMAN.length]}.`;
  return `${n + 1}.`;
}

const LEAVES = {
  text: (leaf, around) => inline([{ type: 'text', text: leaf.text || '' }], around),
  link: (leaf) => link(leaf.url, leaf.text || leaf.url),
  emoji: (leaf, around) => inline([{ type: 'emoji', name: leaf.name, unicode: leaf.unicode }], around),
  user: (leaf, around) => inline([{ type: 'user', id: leaf.user_id }], around),
  usergroup: (leaf, around) => inline([{ type: 'group', id: leaf.usergroup_id }], around),
  channel: (leaf, around) => inline([{ type: 'channel', id: leaf.channel_id }], around),
  broadcast: (leaf, around) => inline([{ type: 'broadcast', range: leaf.range }], around),
  color: (leaf) => [el('span', { class: 'swatch', style: { background: leaf.value } }), leaf.value],
  date: (leaf, around) => inline([{
    type: 'date', at: Number(leaf.timestamp), pattern: leaf.format || '{date_num} {time}', url: leaf.url, fallback: leaf.fallback || '',
  }], around),
};

const STYLES = [['code', 'code'], ['bold', 'strong'], ['italic', 'em'], ['strike', 's'], ['underline', 'u'], ['highlight', 'mark']];

function leaves(elements, around) {
  return (elements || []).map((leaf) => {
    const draw = LEAVES[leaf.type];
    if (!draw) return el('span', { class: 'unsupported' }, `unsupported: ${leaf.type}`);
    return STYLES.reduce((inner, [style, tag]) => (leaf.style?.[style] ? [el(tag, null, inner)] : inner), draw(leaf, around));
  });
}
