// data_visualization blocks as plain SVG: line, area, bar and pie. A table of the same numbers
// stands behind each chart for readers who do not see it.

import { el, svg } from './dom.js';

const WIDTH = 560;
const HEIGHT = 220;
const BOX = { left: 48, right: 20, top: 22, bottom: 34 };

/** chart draws block.chart with its title, legend and hidden table. */
export function chart(block) {
  const data = block.chart || {};
  const draw = { line: lines, area: lines, bar: bars, pie }[data.type];
  if (!draw) return el('div', { class: 'unsupported' }, `unsupported chart: ${data.type}`);
  return el('figure', { class: `chart ${data.type}` },
    el('figcaption', null, block.title || ''),
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${data.type} chart: ${block.title || ''}` }, draw(data)),
    legend(data), hiddenTable(block));
}

/** scale returns round tick values that enclose the numbers, always with zero. */
export function scale(values, wanted = 4) {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(0, ...finite);
  const high = Math.max(0, ...finite) || (low < 0 ? 0 : 1);
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= rough) * power;
  const ticks = [];
  for (let tick = Math.floor(low / step) * step; ticks.length < 12; tick += step) {
    ticks.push(Number(tick.toPrecision(12)));
    if (tick >= high) break;
  }
  return ticks;
}

/** short writes a number for an axis: 12.5k, 3M. */
export function short(n) {
  const size = Math.abs(n);
  if (size >= 1e9) return `${trim(n / 1e9)}B`;
  if (size >= 1e6) return `${trim(n / 1e6)}M`;
  if (size >= 1e3) return `${trim(n / 1e3)}k`;
  return trim(n);
}

function trim(n) {
  return String(Number(n.toFixed(Math.abs(n) < 1 ? 3 : 1)));
}

function plane(data) {
  const categories = data.axis_config?.categories || (data.series?.[0]?.data || []).map((p) => p.label);
  const series = data.series || [];
  const ticks = scale(series.flatMap((s) => s.data.map((p) => p.value)));
  const y = (v) => BOX.top + (1 - (v - ticks[0]) / (ticks[ticks.length - 1] - ticks[0])) * (HEIGHT - BOX.top - BOX.bottom);
  return { categories, series, ticks, y, inner: WIDTH - BOX.left - BOX.right };
}

function axes(p, x, data) {
  const every = Math.ceil(p.categories.length / 7);
  return [
    p.ticks.map((t) => [
      svg('line', { class: 'grid', x1: BOX.left, x2: WIDTH - BOX.right, y1: p.y(t), y2: p.y(t) }),
      svg('text', { class: 'tick', x: BOX.left - 8, y: p.y(t) + 4, 'text-anchor': 'end' }, short(t)),
    ]),
    p.categories.map((c, i) => i % every === 0 &&
      svg('text', { class: 'tick', x: x(i), y: HEIGHT - BOX.bottom + 16, 'text-anchor': 'middle' }, c)),
    data.axis_config?.x_label && svg('text', { class: 'axis', x: WIDTH - BOX.right, y: HEIGHT - 3, 'text-anchor': 'end' }, data.axis_config.x_label),
    data.axis_config?.y_label && svg('text', { class: 'axis', x: 0, y: 10 }, data.axis_config.y_label),
  ];
}

function lines(data) {
  const p = plane(data);
  const x = (i) => BOX.left + (p.categories.length < 2 ? p.inner / 2 : (i / (p.categories.length - 1)) * p.inner);
  const at = (s) => s.data.map((point) => [x(Math.max(0, p.categories.indexOf(point.label))), p.y(point.value)]);
  return [axes(p, x, data), p.series.map((s, i) => {
    const points = at(s).map((xy) => xy.join(',')).join(' ');
    const base = p.y(Math.max(0, p.ticks[0]));
    const ends = at(s);
    return [
      data.type === 'area' && ends.length > 0 &&
        svg('polygon', { class: `fill c${i % 8}`, points: `${ends[0][0]},${base} ${points} ${ends[ends.length - 1][0]},${base}` }),
      svg('polyline', { class: `stroke c${i % 8}`, points }),
      ends.length < 40 && ends.map(([cx, cy]) => svg('circle', { class: `dot c${i % 8}`, cx, cy, r: 2.5 })),
    ];
  })];
}

function bars(data) {
  const p = plane(data);
  const slot = p.inner / Math.max(1, p.categories.length);
  const width = Math.min(36, (slot * 0.72) / Math.max(1, p.series.length));
  const x = (i) => BOX.left + slot * (i + 0.5);
  const zero = p.y(0);
  return [axes(p, x, data), p.series.map((s, i) => s.data.map((point) => {
    const left = x(Math.max(0, p.categories.indexOf(point.label))) + (i - p.series.length / 2) * width;
    const top = Math.min(zero, p.y(point.value));
    return svg('rect', { class: `bar c${i % 8}`, x: left + 1, y: top, width: width - 2, height: Math.max(1, Math.abs(zero - p.y(point.value))), rx: 2 });
  }))];
}

function pie(data) {
  const segments = (data.segments || []).filter((s) => s.value > 0);
  const total = segments.reduce((sum, s) => sum + s.value, 0);
  let turn = -Math.PI / 2;
  return segments.map((s, i) => {
    const from = turn;
    turn += (s.value / total) * 2 * Math.PI;
    return svg('path', { class: `slice c${i % 8}`, d: wedge(from, turn) }, svg('title', null, `${s.label}: ${s.value}`));
  });
}

function wedge(from, to) {
  const [cx, cy, r] = [WIDTH / 2, HEIGHT / 2, HEIGHT / 2 - 8];
  const end = Math.min(to, from + 2 * Math.PI - 0.0001);
  const point = (angle) => `${cx + r * Math.cos(angle)} ${cy + r * Math.sin(angle)}`;
  return `M${cx} ${cy}L${point(from)}A${r} ${r} 0 ${end - from > Math.PI ? 1 : 0} 1 ${point(end)}Z`;
}

function legend(data) {
  const total = (data.segments || []).reduce((sum, s) => sum + s.value, 0);
  const names = data.type === 'pie'
    ? (data.segments || []).filter((s) => s.value > 0).map((s) => `${s.label} · ${Math.round((s.value / total) * 100)}%`)
    : (data.series || []).map((s) => s.name);
  return el('ul', { class: 'legend' }, names.map((name, i) => el('li', null, el('span', { class: `key c${i % 8}` }), name)));
}

function hiddenTable(block) {
  const data = block.chart;
  const rows = data.type === 'pie'
    ? (data.segments || []).map((s) => [s.label, s.value])
    : (data.series || []).flatMap((s) => s.data.map((p) => [`${s.name}, ${p.label}`, p.value]));
  return el('table', { class: 'visually-hidden' },
    el('caption', null, block.title || ''),
    el('tbody', null, rows.map(([name, value]) => el('tr', null, el('th', { scope: 'row' }, name), el('td', null, value)))));
}
