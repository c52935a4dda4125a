// Block Kit's layout blocks (docs.slack.dev/reference/block-kit/blocks), one row of DRAW each. A block
// this page does not know is shown as a grey box with its type, never dropped in silence.

import { el, link, reconcile, refocus, safeHref, safeImage } from './dom.js';
import { markdown, plainText, text } from './inline.js';
import { element } from './elements.js';
import { richText } from './richtext.js';
import { chart } from './chart.js';
import { dataTable, table } from './table.js';

const DRAW = {
  header: (b, s) => el('h3', { class: 'b-header' }, plainText(b.text, s.around)),
  section,
  context: (b, s) => el('div', { class: 'b-context' }, (b.elements || []).map((e) => (e.type === 'image' ? element(e, b, s) : el('span', null, text(e, s.around))))),
  divider: () => el('hr', { class: 'b-divider' }),
  actions: (b, s) => el('div', { class: 'b-actions' }, (b.elements || []).map((e) => element(e, b, s))),
  context_actions: (b, s) => el('div', { class: 'b-actions small' }, (b.elements || []).map((e) => element(e, b, s))),
  image,
  input,
  rich_text: (b, s) => el('div', { class: 'b-rich' }, richText(b, s.around)),
  table: (b, s) => table(b, s.around),
  data_table: (b, s) => dataTable(b, s),
  markdown: (b, s) => el('div', { class: 'b-markdown' }, markdown(b.text, s.around)),
  video,
  file: (b) => el('div', { class: 'b-file' }, `📎 ${b.external_id || 'file'}`),
  data_visualization: (b) => chart(b),
  alert: (b, s) => el('div', { class: `b-alert ${b.level || 'default'}`, role: 'note' }, text(b.text, s.around)),
  card,
  carousel: (b, s) => el('div', { class: 'b-carousel', tabindex: '0' }, (b.elements || []).map((c) => card(c, s))),
  container,
  plan: (b, s) => el('div', { class: 'b-plan' }, el('strong', null, b.title), el('ol', null, (b.tasks || []).map((t) => el('li', null, task(t, s))))),
  task_card: task,
};

/** draw puts blocks into parent, keeping the nodes of those that did not change. */
export function draw(parent, blocks, surface) {
  const rows = (blocks || []).map((block, i) => ({ block: block.block_id ? block : { ...block, block_id: `block-${i}` }, i }));
  refocus(parent, () => reconcile(parent, rows, {
    key: (row) => `${row.block.block_id}:${row.block.type}`,
    signature: (row) => JSON.stringify(row.block) + (surface.form.errors[row.block.block_id] || ''),
    make: (row) => one(row.block, surface),
  }));
}

function one(block, surface) {
  const make = DRAW[block.type] || unsupported;
  const node = make(block, surface);
  node.classList.add('block');
  node.setAttribute('data-block', block.type);
  return node;
}

function unsupported(block) {
  return el('div', { class: 'unsupported' }, `unsupported block: ${block.type}`);
}

function section(block, surface) {
  const words = block.text && el('div', { class: 'b-text' }, text(block.text, surface.around));
  const fields = block.fields && el('div', { class: 'b-fields' }, block.fields.map((f) => el('div', null, text(f, surface.around))));
  return el('div', { class: 'b-section' },
    el('div', { class: 'b-section-words' }, words, fields),
    block.accessory && el('div', { class: 'b-accessory' }, element(block.accessory, block, surface)));
}

function image(block) {
  const src = safeImage(block.image_url || block.slack_file?.url);
  return el('figure', { class: 'b-image' },
    block.title && el('figcaption', null, plainText(block.title)),
    src ? el('img', { src, alt: block.alt_text || '', loading: 'lazy' }) : el('div', { class: 'unsupported' }, block.alt_text || 'image'));
}

function input(block, surface) {
  const spec = block.element || {};
  const id = `f-${surface.name}-${block.block_id}-${spec.action_id}`.replace(/[^\w-]/g, '_');
  const error = surface.form.errors[block.block_id];
  const grouped = ['radio_buttons', 'checkboxes'].includes(spec.type);
  return el('div', { class: error ? 'b-input invalid' : 'b-input' },
    el(grouped ? 'div' : 'label', { class: 'b-label', for: grouped ? null : id },
      plainText(block.label, surface.around), block.optional && el('span', { class: 'optional' }, ' (optional)')),
    element(spec, block, surface, { input: true, id, error, describedBy: error || block.hint ? `${id}-note` : null }),
    error && el('p', { class: 'field-error', id: `${id}-note`, role: 'alert' }, error),
    !error && block.hint && el('p', { class: 'hint', id: `${id}-note` }, plainText(block.hint, surface.around)));
}

function video(block, surface) {
  const thumb = safeImage(block.thumbnail_url);
  const href = safeHref(block.title_url || block.video_url);
  return el('div', { class: 'b-video' },
    thumb && el('a', { href, target: '_blank', rel: 'noopener noreferrer', class: 'video-thumb' }, el('img', { src: thumb, alt: block.alt_text || '', loading: 'lazy' }), el('span', { 'aria-hidden': 'true' }, '▶')),
    el('div', null, el('strong', null, link(href, plainText(block.title, surface.around))),
      block.description && el('p', null, plainText(block.description, surface.around)),
      (block.author_name || block.provider_name) && el('small', null, [block.provider_name, block.author_name].filter(Boolean).join(' · '))));
}

function card(block, surface) {
  const hero = safeImage(block.hero_image?.image_url);
  const icon = safeImage(block.icon?.image_url);
  return el('div', { class: 'b-card' },
    hero && el('img', { class: 'hero', src: hero, alt: block.hero_image.alt_text || '', loading: 'lazy' }),
    el('div', { class: 'b-card-head' }, icon && el('img', { class: 'icon', src: icon, alt: block.icon.alt_text || '' }),
      el('div', null, block.title && el('strong', null, text(block.title, surface.around)), block.subtitle && el('small', null, text(block.subtitle, surface.around)))),
    block.body && el('div', null, text(block.body, surface.around)),
    block.subtext && el('small', { class: 'muted' }, text(block.subtext, surface.around)),
    block.actions && el('div', { class: 'b-actions' }, block.actions.map((a) => element(a, block, surface))));
}

function container(block, surface) {
  const title = block.rich_text_title ? richText(block.rich_text_title, surface.around) : text(block.title, surface.around);
  const inner = el('div', { class: 'blocks' });
  draw(inner, block.child_blocks, surface);
  const head = [el('strong', null, title), block.subtitle && el('small', null, text(block.subtitle, surface.around))];
  if (!block.is_collapsible) return el('div', { class: 'b-card' }, el('div', null, head), inner);
  return el('details', { class: 'b-card', open: !block.default_collapsed }, el('summary', null, head), inner);
}

const TASK_MARKS = { pending: ['○', 'pending'], in_progress: ['◐', 'in progress'], complete: ['✓', 'complete'], error: ['✕', 'error'] };

function task(block, surface) {
  const [mark, words] = TASK_MARKS[block.status] || TASK_MARKS.pending;
  return el('div', { class: `b-task ${block.status || 'pending'}` },
    el('span', { class: 'task-mark', role: 'img', 'aria-label': words }, mark),
    el('div', null, !block.hide_title && el('span', null, block.title),
      block.details && el('div', { class: 'b-rich muted' }, richText(block.details, surface.around)),
      block.output && el('div', { class: 'b-rich' }, richText(block.output, surface.around)),
      block.sources && el('small', null, block.sources.map((s, i) => [i > 0 && ' · ', link(s.url, s.text || s.url)]))));
}
