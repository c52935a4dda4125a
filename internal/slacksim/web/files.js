// Files below a message: always a link to download; a picture is shown, and text shows its first lines.

import { el, safeHref } from './dom.js';

const PREVIEW_LINES = 8;
const PREVIEW_BYTES = 64 * 1024;
const TEXTUAL = /^(text\/(?!html)|application\/(json|x-ndjson|xml|yaml|x-yaml))/;
const ICONS = [[/^image\//, '🖼'], [/json/, '{ }'], [/csv/, '▦'], [/markdown/, 'M↓'], [/html/, '</>'], [/^text\//, '≡']];

/** file draws {id, name, title, mimetype, size, url}. */
export function file(f) {
  const href = safeHref(f.url);
  const picture = /^image\/(png|jpeg|gif|webp|svg)/.test(f.mimetype || '') && href;
  const card = el('div', { class: 'file' },
    el('a', { class: 'file-link', href, download: f.name || true, data: { testid: 'file' } },
      el('span', { class: 'file-icon', 'aria-hidden': 'true' }, icon(f.mimetype)),
      el('span', { class: 'file-words' }, el('strong', null, f.title || f.name), el('small', null, [f.title && f.title !== f.name ? f.name : null, bytes(f.size)].filter(Boolean).join(' · '))),
      el('span', { class: 'file-get' }, 'Download')),
    picture && el('img', { class: 'file-picture', src: href, alt: f.title || f.name || '', loading: 'lazy' }));
  if (href && TEXTUAL.test(f.mimetype || '') && f.size <= PREVIEW_BYTES) preview(card, href);
  return card;
}

function icon(mimetype) {
  return ICONS.find(([kind]) => kind.test(mimetype || ''))?.[1] || '📄';
}

async function preview(card, href) {
  if (!href.startsWith('/') && new URL(href).origin !== location.origin) return;
  const response = await fetch(href).catch(() => null);
  if (!response?.ok) return;
  const lines = (await response.text()).split('\n');
  const rest = lines.length - PREVIEW_LINES;
  card.append(el('pre', { class: 'file-preview', tabindex: '0' }, el('code', null, lines.slice(0, PREVIEW_LINES).join('\n'))));
  if (rest > 0) card.append(el('small', { class: 'file-more' }, `${rest} more lines`));
}

/** bytes writes a size as a person would: 812 B, 4.1 kB, 2.3 MB. */
export function bytes(n) {
  if (!Number.isFinite(n)) return '';
  if (n < 1000) return `${n} B`;
  const power = Math.min(3, Math.floor(Math.log10(n) / 3));
  return `${(n / 1000 ** power).toFixed(1)} ${['B', 'kB', 'MB', 'GB'][power]}`;
}
