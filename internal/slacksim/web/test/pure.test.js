import test from 'node:test';
import assert from 'node:assert/strict';
import { ago, dateToken } from '../time.js';
import { parseMarkdown } from '../markdown.js';
import { suggestions } from '../composer.js';
import { check, Form } from '../forms.js';
import { sorted } from '../table.js';
import { scale, short } from '../chart.js';
import { glyph, names, QUICK } from '../emoji.js';
import { address, read, resolve } from '../route.js';
import { bytes } from '../files.js';
import { ink } from '../people.js';
import { safeHref, safeImage } from '../dom.js';

test('ago', () => {
  const rows = [[0, 'just now'], [60, '1 min ago'], [120, '2 min ago'], [3 * 3600, '3 h ago'], [3 * 86400, '3 days ago'], [-600, 'in 10 min']];
  for (const [passed, want] of rows) assert.equal(ago(1e9 - passed, 1e9), want, `${passed} s`);
});

test('date tokens', () => {
  const rows = [['{date_num}', 0, /^\d{4}-\d\d-\d\d$/], ['{date_short_pretty} at {time}', 0, /^today at \d\d:\d\d$/], ['{ago}', 60, /^1 min ago$/], ['{nonsense}', 0, null]];
  for (const [pattern, passed, want] of rows) {
    const got = dateToken(1e9 - passed, pattern, 1e9);
    if (want === null) assert.equal(got, null, pattern);
    else assert.match(got, want, pattern);
  }
  assert.equal(dateToken(Number.NaN, '{date}', 1e9), null);
});

test('markdown blocks', () => {
  const rows = [['# A', 'heading'], ['- a\n- b', 'list'], ['1. a', 'list'], ['> a', 'quote'], ['```go\nx\n```', 'pre'], ['| a | b |\n|---|---|\n| 1 | 2 |', 'table'], ['---', 'rule'], ['a **b**', 'paragraph'], ['<b>x</b>', 'paragraph']];
  for (const [text, want] of rows) assert.deepEqual(parseMarkdown(text).map((b) => b.type), [want], text);
  assert.equal(parseMarkdown('- [x] a')[0].items[0].done, true);
  assert.equal(parseMarkdown('> '.repeat(500)).length, 1);
});

test('markdown survives hostile input', () => {
  for (const piece of ['**a', '[a](', '`', '> - ', '|a', '_a*', '<https://']) {
    const started = Date.now();
    parseMarkdown(piece.repeat(1500));
    assert.ok(Date.now() - started < 3000, `${piece} took ${Date.now() - started} ms`);
  }
});

const COMMANDS = [{ command: '/cdc', description: 'CDC', usage_hint: 'status [connector] | pause|resume <connector> | help' }];

test('suggestions', () => {
  const rows = [
    ['hello', []], ['/', ['/cdc']], ['/cd', ['/cdc']], ['/x', []], ['/cdc ', ['/cdc status', '/cdc pause', '/cdc resume', '/cdc help']],
    ['/cdc st', ['/cdc status']], ['/cdc status', []], ['/cdc status x', []], ['/cdc\nstatus', []],
  ];
  for (const [text, want] of rows) assert.deepEqual(suggestions(text, COMMANDS).map((s) => s.shown), want, text);
  assert.equal(suggestions('/cdc', COMMANDS)[0].complete, false, 'a whole command is sent by Enter, not completed');
});

test('check of a modal', () => {
  const block = (element, more) => ({ type: 'input', block_id: 'b', element: { action_id: 'a', ...element }, ...more });
  const rows = [
    ['required', block({ type: 'plain_text_input' }), { value: null }, /required/],
    ['optional', block({ type: 'plain_text_input' }, { optional: true }), { value: null }, null],
    ['too short', block({ type: 'plain_text_input', min_length: 3 }), { value: 'ab' }, /at least 3/],
    ['counts code points', block({ type: 'plain_text_input', max_length: 2 }), { value: '🔴🔴' }, null],
    ['number', block({ type: 'number_input', max_value: '10' }), { value: '11' }, /10 or less/],
    ['decimal refused', block({ type: 'number_input' }), { value: '1.5' }, /whole/],
    ['email', block({ type: 'email_text_input' }), { value: 'x' }, /email/],
    ['no option', block({ type: 'checkboxes' }), { selected_options: [] }, /required/],
    ['option', block({ type: 'static_select' }), { selected_option: { value: 'x' } }, null],
  ];
  for (const [name, spec, state, want] of rows) {
    const form = new Form();
    form.set('b', 'a', { type: spec.element.type, ...state });
    const got = check([spec], form).b;
    if (want === null) assert.equal(got, undefined, name);
    else assert.match(got, want, name);
  }
});

test('data tables sort numbers as numbers', () => {
  const rows = [12500, 3, 100].map((value) => [{ type: 'raw_number', value, text: String(value) }]);
  assert.deepEqual(sorted(rows, { column: 0, down: false }).map((r) => r[0].value), [3, 100, 12500]);
  assert.deepEqual(sorted(rows, { column: 0, down: true }).map((r) => r[0].value), [12500, 100, 3]);
});

test('chart scales enclose their numbers', () => {
  for (const values of [[], [0], [5], [-3, 8], [1e9], [0.002], [Number.NaN, 1]]) {
    const ticks = scale(values);
    const finite = values.filter(Number.isFinite);
    assert.ok(ticks[0] <= Math.min(0, ...finite) && ticks[ticks.length - 1] >= Math.max(0, ...finite) && ticks.length > 1, `${values} → ${ticks}`);
  }
  assert.deepEqual([12500, 3e6, 7, 0.25].map(short), ['12.5k', '3M', '7', '0.25']);
});

test('emoji', () => {
  const wanted = `rotating_light white_check_mark x warning hourglass_flowing_sand large_green_circle red_circle large_yellow_circle black_circle arrows_counterclockwise
    memo page_facing_up bar_chart eyes +1 lock unlock clock sos hammer_and_wrench mag repeat no_entry raised_hand bust_in_silhouette closed_lock_with_key`.split(/\s+/);
  for (const name of [...wanted, ...QUICK]) assert.ok(glyph(name), name);
  assert.ok(names().length >= 150, `${names().length} names`);
  assert.equal(glyph('no_such_thing'), null);
  assert.equal(glyph('constructor'), null);
});

test('route', () => {
  const state = { me: { id: 'U1' }, users: [{ id: 'U1', name: 'oncall' }], channels: [{ id: 'C1', name: 'cdc-incidents' }, { id: 'C2', name: 'general' }] };
  const there = resolve(read('?user=oncall&channel=general&thread=1.2'), state);
  assert.deepEqual([there.user, there.channel, there.thread], ['U1', 'C2', '1.2']);
  assert.equal(address(there, state), '?user=oncall&channel=general&thread=1.2');
  assert.equal(resolve(read('?channel=gone&thread=1.2'), state).thread, '', 'a thread of an unknown channel is not looked for elsewhere');
});

test('addresses that may be followed', () => {
  const rows = [['https://x.example', true], ['mailto:a@b.example', true], ['/files/F1/a', true], ['javascript:alert(1)', false], ['data:text/html,x', false], ['//evil.example', false], [' javascript:x', false], [null, false]];
  for (const [url, want] of rows) assert.equal(Boolean(safeHref(url)), want, url);
  assert.equal(safeImage('data:image/svg+xml,<svg/>'), null);
  assert.ok(safeImage('data:image/png;base64,AA'));
});

test('sizes', () => assert.deepEqual([0, 812, 4100, 2300000].map(bytes), ['0 B', '812 B', '4.1 kB', '2.3 MB']));

test('initials can be read on any colour', () => {
  const rows = [['#ffffff', '#111111'], ['#000000', '#ffffff'], ['#2f7d4f', '#ffffff'], ['#ffd166', '#111111']];
  for (const [color, want] of rows) assert.equal(ink(color), want, color);
});
