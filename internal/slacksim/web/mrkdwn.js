// Slack's mrkdwn: text in, a tree out; pure, so that it is tested without a browser (inline.js draws
// it). The rules are those of docs.slack.dev/messaging/formatting-message-text: a mark opens after
// a break and before a letter, closes the other way round, and never spans lines.

const ENTITIES = { '&amp;': '&', '&lt;': '<', '&gt;': '>' };
const MARKS = { '*': 'bold', _: 'italic', '~': 'strike' };
const WORD = /[\p{L}\p{N}_]/u;
const BARE = /^https?:\/\/[^\s<>|"]+[^\s<>|".,;:!?)'\]}]/;
const EMOJI = /^:([a-z0-9_+\-']+(?:::skin-tone-[2-6])?):/;
const MAX_DEPTH = 8;

/** unescape undoes Slack's three entities. */
export function unescape(text) {
  return text.replace(/&(amp|lt|gt);/g, (entity) => ENTITIES[entity]);
}

/** typed is what its author would type to say text again: @names for mentions, bare addresses, no entities. */
export function typed(text, around) {
  return unescape(String(text ?? '').replace(/<([@#]?)([^<>|\n]+)(?:\|[^<>\n]*)?>/g, (_, sign, target) => {
    const known = sign === '@' ? around.users.get(target) : sign === '#' ? around.channels.get(target) : null;
    return sign + (known?.name || target);
  }));
}

/** parse returns blocks: {type: pre|quote|lines, …}, each with inline children. */
export function parse(text) {
  const blocks = [];
  String(text ?? '').split(/```/).forEach((part, i, all) => {
    const closed = i < all.length - 1;
    if (i % 2 === 1 && closed) blocks.push({ type: 'pre', text: preformatted(part) });
    else if (i % 2 === 1) pushLines(blocks, '```' + part);
    else pushLines(blocks, i > 0 ? part.replace(/^\n/, '') : part, closed);
  });
  return blocks;
}

function preformatted(part) {
  return plain(part.replace(/^\n/, '').replace(/\n$/, ''));
}

/** plain reads a text without styles: links become their labels. */
function plain(text) {
  return unescape(text.replace(/<([^<>\n]+)>/g, (_, body) => (body.includes('|') ? body.slice(body.indexOf('|') + 1) : body)));
}

function pushLines(blocks, text, beforePre) {
  const body = beforePre ? text.replace(/\n$/, '') : text;
  if (body === '') return;
  for (const line of body.split('\n')) {
    const quote = /^(?:&gt;|>)(?!>) ?(.*)$/.exec(line);
    const type = quote ? 'quote' : 'lines';
    const last = blocks[blocks.length - 1];
    const inline = parseInline(quote ? quote[1] : line);
    if (last && last.type === type) last.lines.push(inline);
    else blocks.push({ type, lines: [inline] });
  }
}

/** parseInline returns the tree of one line. */
export function parseInline(line, depth = 0) {
  const out = [];
  const hopeless = new Set(); // marks that nothing further on closes: looked for once, not at every opening
  let at = 0;
  while (at < line.length) {
    const found = token(line, at, depth, hopeless);
    if (found) {
      out.push(found.node);
      at = found.end;
      continue;
    }
    const char = String.fromCodePoint(line.codePointAt(at));
    pushText(out, char);
    at += char.length;
  }
  for (const node of out) if (node.type === 'text') node.text = unescape(node.text);
  return out;
}

function pushText(out, text) {
  const last = out[out.length - 1];
  if (last && last.type === 'text' && !last.sealed) last.text += text;
  else out.push({ type: 'text', text });
}

function token(line, at, depth, hopeless) {
  const char = line[at];
  if (char === '<') return control(line, at, depth);
  if (char === '`') return code(line, at);
  if (char === ':') return emoji(line, at);
  if (char === 'h') return bareLink(line, at);
  if (MARKS[char] && depth < MAX_DEPTH && !hopeless.has(char)) return mark(line, at, depth, hopeless);
  return null;
}

function code(line, at) {
  const end = line.indexOf('`', at + 1);
  if (end <= at + 1) return null;
  return { node: { type: 'code', text: plain(line.slice(at + 1, end)) }, end: end + 1 };
}

function emoji(line, at) {
  const found = EMOJI.exec(line.slice(at, at + 80));
  return found && { node: { type: 'emoji', name: found[1] }, end: at + found[0].length };
}

function bareLink(line, at) {
  if (at > 0 && WORD.test(line[at - 1])) return null;
  const found = BARE.exec(line.slice(at));
  if (!found) return null;
  const url = unescape(found[0]);
  return { node: { type: 'link', url, children: [{ type: 'text', text: url, sealed: true }] }, end: at + found[0].length };
}

function mark(line, at, depth, hopeless) {
  const char = line[at];
  if (at > 0 && (WORD.test(line[at - 1]) || line[at - 1] === char)) return null;
  if (at + 1 >= line.length || /\s/.test(line[at + 1]) || line[at + 1] === char) return null;
  for (let end = at + 2; end < line.length; end++) {
    end = skipOpaque(line, end);
    if (line[end] !== char || /\s/.test(line[end - 1])) continue;
    if (end + 1 < line.length && (WORD.test(line[end + 1]) || line[end + 1] === char)) continue;
    return { node: { type: MARKS[char], children: parseInline(line.slice(at + 1, end), depth + 1) }, end: end + 1 };
  }
  hopeless.add(char);
  return null;
}

/** skipOpaque jumps over code and <…>, inside which a mark does not close. */
function skipOpaque(line, at) {
  const close = { '`': '`', '<': '>' }[line[at]];
  if (!close) return at;
  const end = line.indexOf(close, at + 1);
  return end < 0 ? at : end;
}

function control(line, at, depth) {
  const end = line.indexOf('>', at);
  if (end < 0) return null;
  const body = line.slice(at + 1, end);
  if (body === '' || body.includes('<')) return null;
  return { node: controlNode(body, depth), end: end + 1 };
}

function controlNode(body, depth) {
  const bar = body.indexOf('|');
  const target = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? '' : body.slice(bar + 1);
  if (target.startsWith('@')) return { type: 'user', id: target.slice(1), label: unescape(label) };
  if (target.startsWith('#')) return { type: 'channel', id: target.slice(1), label: unescape(label) };
  if (target.startsWith('!date^')) return dateNode(target, label);
  if (target.startsWith('!subteam^')) return { type: 'group', id: target.slice(9), label: unescape(label) };
  if (target.startsWith('!')) return { type: 'broadcast', range: target.slice(1), label: unescape(label) };
  const url = unescape(target);
  const children = label ? parseInline(label, Math.max(depth + 1, 1)).map(unlink) : [{ type: 'text', text: url, sealed: true }];
  return { type: 'link', url, children };
}

/** unlink keeps a label from holding a link of its own. */
function unlink(node) {
  return node.type === 'link' ? { type: 'text', text: node.url } : node;
}

function dateNode(target, fallback) {
  const [, stamp, pattern = '', url = ''] = target.split('^');
  return { type: 'date', at: Number.parseInt(stamp, 10), pattern: unescape(pattern), url: unescape(url), fallback: unescape(fallback) };
}
