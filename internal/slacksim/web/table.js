// The table and data_table blocks: the second one sorts by a column and turns pages in the page itself.

import { el } from './dom.js';
import { element } from './elements.js';
import { richText } from './richtext.js';

const PAGE_SIZE = 5;

/** table draws a table block; its first row is the header. */
export function table(block, around) {
  const settings = block.column_settings || [];
  const [head = [], ...rows] = block.rows || [];
  const cell = (name) => (c, i) => el(name, { class: cellClass(c, settings[i]), scope: name === 'th' ? 'col' : null }, content(c, around));
  return el('div', { class: 'table-scroll', tabindex: '0' }, el('table', { class: 'b-table' },
    el('thead', null, el('tr', null, head.map(cell('th')))),
    el('tbody', null, rows.map((row) => el('tr', null, row.map(cell('td')))))));
}

function cellClass(cell, setting) {
  const align = setting?.align || (cell.type === 'raw_number' ? 'right' : 'left');
  return `align-${align}${setting?.is_wrapped ? ' wrap' : ''}`;
}

function content(cell, around) {
  if (cell.type === 'rich_text') return richText(cell, around);
  if (cell.type === 'raw_number') return cell.text || String(cell.value ?? '');
  return cell.text ?? '';
}

/** dataTable draws a data_table block with sorting by header and paging. */
export function dataTable(block, surface) {
  const [head = [], ...rows] = block.rows || [];
  const look = { column: -1, down: false, page: 0, size: block.page_size || PAGE_SIZE };
  const body = el('tbody');
  const pager = el('div', { class: 'pager' });
  const heads = head.map((cell, i) => el('th', { scope: 'col', class: `align-${isNumber(rows, i) ? 'right' : 'left'}` },
    el('button', { type: 'button', class: 'sort', onclick: () => sortBy(i) }, content(cell, surface.around), el('span', { 'aria-hidden': 'true' }))));
  const sortBy = (i) => {
    Object.assign(look, { down: look.column === i && !look.down, column: i, page: 0 });
    show();
  };
  const show = () => {
    heads.forEach((th, i) => th.setAttribute('aria-sort', i !== look.column ? 'none' : look.down ? 'descending' : 'ascending'));
    const page = sorted(rows, look).slice(look.page * look.size, (look.page + 1) * look.size);
    body.replaceChildren(...page.map((row) => dataRow(row, block, surface)));
    pager.replaceChildren(...pages(rows.length, look, show));
  };
  show();
  return el('div', { class: 'b-data' }, el('div', { class: 'table-scroll', tabindex: '0' },
    el('table', { class: 'b-table' }, el('caption', null, block.caption || ''), el('thead', null, el('tr', null, heads)), body)), pager);
}

function isNumber(rows, column) {
  return rows[0]?.[column]?.type === 'raw_number';
}

function dataRow(row, block, surface) {
  const header = block.row_header_column_index || 0;
  return el('tr', null, row.map((cell, i) => el(i === header ? 'th' : 'td',
    { scope: i === header ? 'row' : null, class: cellClass(cell) },
    cell.type === 'action_cell' ? element(cell.element, block, surface) : content(cell, surface.around))));
}

/** sorted orders rows by the looked-at column: numbers by value, the rest by their text. */
export function sorted(rows, look) {
  if (look.column < 0) return rows;
  const value = (row) => sortValue(row[look.column]);
  const order = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true }));
  return [...rows].sort((a, b) => order(value(a), value(b)) * (look.down ? -1 : 1));
}

function sortValue(cell) {
  if (cell?.type === 'raw_number') return cell.value;
  if (cell?.type === 'rich_text') return JSON.stringify(cell.elements);
  return cell?.text ?? '';
}

function pages(total, look, show) {
  const last = Math.ceil(total / look.size) - 1;
  if (last < 1) return [];
  const step = (by, words) => el('button', {
    type: 'button', class: 'button', disabled: look.page + by < 0 || look.page + by > last,
    onclick: () => {
      look.page += by;
      show();
    },
  }, words);
  const from = look.page * look.size + 1;
  return [step(-1, 'Previous'), el('span', null, `${from}–${Math.min(total, from + look.size - 1)} of ${total}`), step(1, 'Next')];
}
