// What people have typed or picked but not yet sent, kept outside the nodes: a message or view may
// be drawn again at any moment (the bot updates it) and nothing half-typed may be lost.

/** Form holds the state of one surface (a message or a view) in Slack's view.state.values shape. */
export class Form {
  constructor() {
    this.values = {};
    this.errors = {};
    this.busy = new Set();
  }

  /** get returns the state of an element, or undefined when it was never drawn. */
  get(blockID, actionID) {
    return this.values[blockID]?.[actionID];
  }

  /** set stores the state of an element. */
  set(blockID, actionID, state) {
    this.values[blockID] = { ...this.values[blockID], [actionID]: state };
  }

  /** keepOnly forgets elements that the surface no longer has. */
  keepOnly(blocks) {
    const ids = new Set(blocks.map((b) => b.block_id));
    for (const id of Object.keys(this.values)) if (!ids.has(id)) delete this.values[id];
  }
}

/** Forms finds the form of a surface by its name. */
export class Forms {
  constructor() {
    this.all = new Map();
  }

  of(name) {
    if (!this.all.has(name)) this.all.set(name, new Form());
    return this.all.get(name);
  }

  forget(name) {
    this.all.delete(name);
  }
}

/** check returns what is wrong with the inputs of blocks by block_id, in the words Slack uses; {} when all is well. */
export function check(blocks, form) {
  const errors = {};
  for (const block of blocks) {
    if (block.type !== 'input' || !block.element) continue;
    const problem = complaint(block, form.get(block.block_id, block.element.action_id) || {});
    if (problem) errors[block.block_id] = problem;
  }
  return errors;
}

function complaint(block, state) {
  const element = block.element;
  if (empty(state)) return block.optional ? '' : 'Please complete this required field.';
  const rule = RULES[element.type];
  return rule ? rule(element, String(state.value)) : '';
}

function empty(state) {
  const held = Object.entries(state).filter(([key]) => key !== 'type').map(([, value]) => value);
  return held.every((v) => v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0));
}

const RULES = {
  plain_text_input: (element, value) => length(element, value),
  email_text_input: (_, value) => (/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) ? '' : 'Please enter a valid email address.'),
  url_text_input: (_, value) => (/^https?:\/\/\S+$/i.test(value) ? '' : 'Please enter a valid URL, such as https://example.com.'),
  number_input: (element, value) => number(element, value),
};

function length(element, value) {
  const size = [...value].length;
  if (element.min_length && size < element.min_length) return `Please use at least ${element.min_length} characters.`;
  if (element.max_length && size > element.max_length) return `Please use at most ${element.max_length} characters.`;
  return '';
}

function number(element, value) {
  const pattern = element.is_decimal_allowed ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/;
  if (!pattern.test(value)) return element.is_decimal_allowed ? 'Please enter a number.' : 'Please enter a whole number.';
  const n = Number(value);
  if (element.min_value !== undefined && n < Number(element.min_value)) return `Please enter ${element.min_value} or more.`;
  if (element.max_value !== undefined && n > Number(element.max_value)) return `Please enter ${element.max_value} or less.`;
  return '';
}
