// The interactive elements of Block Kit (docs.slack.dev/reference/block-kit/block-elements). A row of
// KINDS says what state an element starts with and how it is drawn; act() does the rest the same way for all.

import { el, safeHref, safeImage } from './dom.js';
import { plainText, text } from './inline.js';
import { hang, menu, walk } from './popover.js';
import { confirm } from './confirm.js';

const KINDS = {
  button: { draw: button },
  workflow_button: { draw: button },
  icon_button: { draw: iconButton },
  feedback_buttons: { draw: feedback },
  overflow: { draw: overflow },
  image: { draw: image },
  static_select: { initial: (e) => ({ selected_option: e.initial_option || null }), draw: select },
  external_select: { initial: (e) => ({ selected_option: e.initial_option || null }), draw: externalSelect },
  users_select: { initial: (e) => ({ selected_user: e.initial_user || null }), draw: peopleSelect },
  channels_select: { initial: (e) => ({ selected_channel: e.initial_channel || null }), draw: channelSelect },
  conversations_select: { initial: (e) => ({ selected_conversation: e.initial_conversation || null }), draw: channelSelect },
  multi_static_select: { initial: (e) => ({ selected_options: e.initial_options || [] }), draw: multiSelect },
  multi_users_select: { initial: (e) => ({ selected_users: e.initial_users || [] }), draw: multiPeople },
  datepicker: { initial: (e) => ({ selected_date: e.initial_date || null }), draw: datepicker },
  timepicker: { initial: (e) => ({ selected_time: e.initial_time || null }), draw: timepicker },
  datetimepicker: { initial: (e) => ({ selected_date_time: e.initial_date_time || null }), draw: datetimepicker },
  radio_buttons: { initial: (e) => ({ selected_option: e.initial_option || null }), draw: radios },
  checkboxes: { initial: (e) => ({ selected_options: e.initial_options || [] }), draw: checkboxes },
  plain_text_input: { initial: (e) => ({ value: e.initial_value ?? null }), draw: textInput },
  email_text_input: { initial: (e) => ({ value: e.initial_value ?? null }), draw: textInput },
  url_text_input: { initial: (e) => ({ value: e.initial_value ?? null }), draw: textInput },
  number_input: { initial: (e) => ({ value: e.initial_value ?? null }), draw: textInput },
};

/**
 * element draws one element of block on surface. at carries what an input block adds: the id its label
 * points to, whether it is an input, and what describes it.
 */
export function element(spec, block, surface, at = {}) {
  const kind = KINDS[spec.type];
  if (!kind) return el('span', { class: 'unsupported' }, `unsupported element: ${spec.type}`);
  if (kind.initial && !surface.form.get(block.block_id, spec.action_id)) {
    surface.form.set(block.block_id, spec.action_id, { type: spec.type, ...kind.initial(spec) });
  }
  return kind.draw({ spec, block, surface, ...at });
}

/** act records what was chosen and, unless the element only feeds a form, tells the app. */
async function act(ctx, fields, node) {
  const { spec, block, surface } = ctx;
  if (KINDS[spec.type].initial) surface.form.set(block.block_id, spec.action_id, { type: spec.type, ...fields });
  if (ctx.input && !block.dispatch_action) return true;
  if (spec.confirm && !(await confirm(spec.confirm, surface.around))) return false;
  await send(ctx, fields, node);
  return true;
}

async function send({ spec, block, surface }, fields, node) {
  const name = fieldName(spec, block, fields.value);
  if (surface.form.busy.has(name)) return;
  surface.form.busy.add(name);
  node?.setAttribute('aria-busy', 'true');
  try {
    await surface.press({ block_id: block.block_id, action_id: spec.action_id, type: spec.type, ...fields });
  } finally {
    surface.form.busy.delete(name);
    node?.removeAttribute('aria-busy');
    for (const twin of document.querySelectorAll('[aria-busy=true][data-field]')) {
      if (twin.getAttribute('data-field') === name) twin.removeAttribute('aria-busy');
    }
  }
}

function fieldName(spec, block, value) {
  return [block.block_id, spec.action_id, value].filter(Boolean).join('/');
}

function hooks(ctx, value) {
  return {
    'action-id': ctx.spec.action_id, 'block-id': ctx.block.block_id, field: fieldName(ctx.spec, ctx.block, value),
  };
}

function state(ctx) {
  return ctx.surface.form.get(ctx.block.block_id, ctx.spec.action_id) || {};
}

function labels(ctx) {
  const words = ctx.spec.placeholder?.text || ctx.block.label?.text || ctx.spec.action_id || ctx.spec.type;
  return {
    id: ctx.id, 'aria-label': ctx.id ? null : words, 'aria-describedby': ctx.describedBy,
    'aria-invalid': ctx.error ? 'true' : null, 'aria-required': ctx.input && !ctx.block.optional ? 'true' : null,
    autofocus: ctx.spec.focus_on_load || null,
  };
}

function button(ctx) {
  const { spec, surface } = ctx;
  const shared = {
    class: `button ${{ primary: 'primary', danger: 'danger' }[spec.style] || ''}`, data: { ...hooks(ctx, spec.value), style: spec.style || 'default' },
    'aria-label': spec.accessibility_label, 'aria-busy': surface.form.busy.has(fieldName(spec, ctx.block, spec.value)) ? 'true' : null,
    onclick: (event) => {
      if (event.currentTarget.getAttribute('aria-busy') !== 'true') act(ctx, { value: spec.value, text: spec.text, style: spec.style }, event.currentTarget);
    },
  };
  const words = plainText(spec.text || 'Button', surface.around);
  const href = spec.url && safeHref(spec.url);
  if (href) return el('a', { ...shared, href, target: '_blank', rel: 'noopener noreferrer' }, words, el('span', { class: 'out', 'aria-hidden': 'true' }, '↗'));
  return el('button', { ...shared, type: 'button' }, words);
}

function iconButton(ctx) {
  const spec = { ...ctx.spec, text: ctx.spec.text || { type: 'plain_text', text: ctx.spec.icon || '•' } };
  return button({ ...ctx, spec });
}

function feedback(ctx) {
  const pair = [ctx.spec.positive_button, ctx.spec.negative_button].filter(Boolean);
  return el('span', { class: 'pair' }, pair.map((one) => button({ ...ctx, spec: { ...one, type: 'feedback_buttons', action_id: ctx.spec.action_id } })));
}

function overflow(ctx) {
  const { spec, surface } = ctx;
  const open = (event) => {
    const anchor = event.currentTarget;
    menu(anchor, 'More actions', (spec.options || []).map((option) => ({
      label: plainText(option.text, surface.around), hint: option.description?.text, action: spec.action_id,
      run: () => choose(option, anchor),
    })));
  };
  const choose = (option, anchor) => {
    const href = option.url && safeHref(option.url);
    if (href) window.open(href, '_blank', 'noopener');
    act(ctx, { selected_option: option }, anchor);
  };
  return el('button', {
    type: 'button', class: 'button more', 'aria-haspopup': 'menu', 'aria-expanded': 'false',
    'aria-label': 'More actions', title: 'More actions', data: hooks(ctx), onclick: open,
  }, '⋯');
}

function image(ctx) {
  const src = safeImage(ctx.spec.image_url || ctx.spec.slack_file?.url);
  if (!src) return el('span', { class: 'unsupported' }, ctx.spec.alt_text || 'image');
  return el('img', { class: 'thumb', src, alt: ctx.spec.alt_text || '', loading: 'lazy' });
}

/** pick draws a native select; choices are [value, label, payload], grouped or not. */
function pick(ctx, groups, current, fieldsOf) {
  const payloads = new Map(groups.flatMap((g) => g.choices).map(([value, , payload]) => [value, payload]));
  const option = ([value, words]) => el('option', { value, selected: value === current || null }, words);
  const node = el('select', {
    ...labels(ctx), class: 'select', data: hooks(ctx),
    onchange: async (event) => {
      const chosen = event.currentTarget;
      const done = await act(ctx, fieldsOf(payloads.get(chosen.value) ?? null), chosen);
      if (!done) chosen.value = current ?? '';
    },
  },
    el('option', { value: '', selected: !current || null, disabled: !ctx.block.optional && ctx.input ? true : null }, ctx.spec.placeholder?.text || 'Choose…'),
    groups.map((g) => (g.label ? el('optgroup', { label: g.label }, g.choices.map(option)) : g.choices.map(option))));
  node.value = current ?? '';
  return node;
}

function optionGroups(spec) {
  const choice = (o) => [o.value, o.text.text, o];
  if (spec.option_groups) return spec.option_groups.map((g) => ({ label: g.label.text, choices: g.options.map(choice) }));
  return [{ choices: (spec.options || []).map(choice) }];
}

function select(ctx) {
  return pick(ctx, optionGroups(ctx.spec), state(ctx).selected_option?.value, (option) => ({ selected_option: option }));
}

// A list whose options come from the app: one types into a field, and the list below it is filled anew.
const TYPING = 250; // ms without a key before the app is asked

function externalSelect(ctx) {
  const choice = (o) => [o.value, o.text.text, o];
  const list = (options) => pick(ctx, [{ choices: options.map(choice) }], state(ctx).selected_option?.value, (option) => ({ selected_option: option }));
  const first = state(ctx).selected_option;
  let node = list(first ? [first] : []);
  let timer;
  let asked = 0;
  const ask = async (value) => {
    const turn = ++asked;
    const options = await ctx.surface.press.suggest({ block_id: ctx.block.block_id, action_id: ctx.spec.action_id, value });
    if (turn !== asked) return; // a later question is under way
    const filled = list(options);
    node.replaceWith(filled);
    node = filled;
  };
  const search = el('input', {
    class: 'input', type: 'search', placeholder: 'Type to search…', 'aria-label': 'Search the list', autocomplete: 'off',
    oninput: (event) => {
      const value = event.currentTarget.value;
      clearTimeout(timer);
      if ([...value].length >= (ctx.spec.min_query_length ?? 3)) timer = setTimeout(() => ask(value), TYPING);
    },
  });
  return el('span', { class: 'pair' }, search, node);
}

function people(ctx) {
  return [...ctx.surface.around.users.values()].filter((u) => !u.is_bot);
}

function peopleSelect(ctx) {
  const choices = people(ctx).map((u) => [u.id, `@${u.name}`, u.id]);
  return pick(ctx, [{ choices }], state(ctx).selected_user, (id) => ({ selected_user: id }));
}

function channelSelect(ctx) {
  const field = ctx.spec.type === 'channels_select' ? 'selected_channel' : 'selected_conversation';
  const choices = [...ctx.surface.around.channels.values()].map((c) => [c.id, `#${c.name}`, c.id]);
  return pick(ctx, [{ choices }], state(ctx)[field], (id) => ({ [field]: id }));
}

function multiSelect(ctx) {
  const options = optionGroups(ctx.spec).flatMap((g) => g.choices.map(([value, words, option]) => ({ value, words, option })));
  const chosen = (state(ctx).selected_options || []).map((o) => o.value);
  return many(ctx, options, chosen, (values) => ({ selected_options: options.filter((o) => values.includes(o.value)).map((o) => o.option) }));
}

function multiPeople(ctx) {
  const options = people(ctx).map((u) => ({ value: u.id, words: `@${u.name}` }));
  return many(ctx, options, state(ctx).selected_users || [], (values) => ({ selected_users: values }));
}

/** many is a button that shows the picked ones and hangs a list of checkboxes; the app hears once, on closing. */
function many(ctx, options, chosen, fieldsOf) {
  let values = [...chosen];
  const node = el('button', { ...labels(ctx), type: 'button', class: 'select many', 'aria-haspopup': 'true', 'aria-expanded': 'false', data: hooks(ctx) });
  const show = () => node.replaceChildren(...(values.length
    ? options.filter((o) => values.includes(o.value)).map((o) => el('span', { class: 'chip' }, o.words))
    : [el('span', { class: 'placeholder' }, ctx.spec.placeholder?.text || 'Choose…')]));
  const flip = (value, on) => {
    values = on ? [...values, value] : values.filter((v) => v !== value);
    if (ctx.spec.max_selected_items) values = values.slice(0, ctx.spec.max_selected_items);
    ctx.surface.form.set(ctx.block.block_id, ctx.spec.action_id, { type: ctx.spec.type, ...fieldsOf(values) });
    show();
  };
  node.addEventListener('click', () => {
    const before = values.join();
    const rows = options.map((o) => tickRow('checkbox', ctx, o.words, values.includes(o.value), (on) => flip(o.value, on)));
    hang(node, el('div', { class: 'menu', onkeydown: walk }, rows), { closed: () => values.join() !== before && act(ctx, fieldsOf(values), node) });
  });
  show();
  return node;
}

function tickRow(type, ctx, words, checked, change, description, value) {
  return el('label', { class: 'tick-row' },
    el('input', {
      type, name: `${ctx.surface.name}/${fieldName(ctx.spec, ctx.block)}`, checked, data: value ? hooks(ctx, value) : null,
      onchange: (event) => change(event.currentTarget.checked, event.currentTarget),
    }),
    el('span', null, words, description && el('small', null, description)));
}

function radios(ctx) {
  const current = state(ctx).selected_option?.value;
  return el('div', { ...labels(ctx), role: 'radiogroup', class: 'ticks' }, (ctx.spec.options || []).map((o) =>
    tickRow('radio', ctx, text(o.text, ctx.surface.around), o.value === current,
      (_, node) => act(ctx, { selected_option: o }, node), o.description && text(o.description, ctx.surface.around), o.value)));
}

function checkboxes(ctx) {
  const options = ctx.spec.options || [];
  const change = (option, on, node) => {
    const now = (state(ctx).selected_options || []).filter((o) => o.value !== option.value);
    const values = [...now.map((o) => o.value), ...(on ? [option.value] : [])];
    act(ctx, { selected_options: options.filter((o) => values.includes(o.value)) }, node);
  };
  const current = (state(ctx).selected_options || []).map((o) => o.value);
  return el('div', { ...labels(ctx), role: 'group', class: 'ticks' }, options.map((o) =>
    tickRow('checkbox', ctx, text(o.text, ctx.surface.around), current.includes(o.value),
      (on, node) => change(o, on, node), o.description && text(o.description, ctx.surface.around), o.value)));
}

function dated(ctx, type, value, fieldsOf) {
  return el('input', { ...labels(ctx), type, class: 'input short', value: value || '', data: hooks(ctx), onchange: (e) => act(ctx, fieldsOf(e.currentTarget.value || null), e.currentTarget) });
}

function datepicker(ctx) {
  return dated(ctx, 'date', state(ctx).selected_date, (v) => ({ selected_date: v }));
}

function timepicker(ctx) {
  return dated(ctx, 'time', state(ctx).selected_time, (v) => ({ selected_time: v }));
}

function datetimepicker(ctx) {
  const at = state(ctx).selected_date_time;
  const offset = at ? new Date(at * 1000).getTimezoneOffset() * 60 : 0;
  const shown = at ? new Date((at - offset) * 1000).toISOString().slice(0, 16) : '';
  return dated(ctx, 'datetime-local', shown, (v) => ({ selected_date_time: v ? Math.floor(new Date(v).getTime() / 1000) : null }));
}

const INPUT_TYPES = { email_text_input: 'email', url_text_input: 'url', number_input: 'text', plain_text_input: 'text' };

function textInput(ctx) {
  const { spec, block, surface } = ctx;
  const keep = (event) => {
    surface.form.set(block.block_id, spec.action_id, { type: spec.type, value: event.currentTarget.value || null });
  };
  const shared = {
    ...labels(ctx), class: 'input', placeholder: spec.placeholder?.text, data: hooks(ctx), value: state(ctx).value ?? '',
    oninput: keep, onkeydown: (event) => event.key === 'Enter' && enter(ctx, event), autocomplete: 'off',
    inputmode: spec.type === 'number_input' ? (spec.is_decimal_allowed ? 'decimal' : 'numeric') : null,
  };
  const node = spec.multiline ? el('textarea', { ...shared, rows: '4' }) : el('input', { ...shared, type: INPUT_TYPES[spec.type] });
  if (!spec.max_length) return node;
  const counter = el('span', { class: 'counter', 'aria-hidden': 'true' });
  const count = () => (counter.textContent = `${[...node.value].length} / ${spec.max_length}`);
  node.addEventListener('input', count);
  count();
  return el('div', { class: 'counted' }, node, counter);
}

function enter(ctx, event) {
  const wants = ctx.spec.dispatch_action_config?.trigger_actions_on || ['on_enter_pressed'];
  if (!ctx.block.dispatch_action || !wants.includes('on_enter_pressed')) return;
  if (ctx.spec.multiline && !event.metaKey && !event.ctrlKey) return;
  event.preventDefault();
  act(ctx, { value: event.currentTarget.value || null }, event.currentTarget);
}
