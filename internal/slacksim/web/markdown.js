// The standard Markdown of Slack's `markdown` block: text in, a tree out. It covers what that block
// documents (headings, lists, tasks, quotes, fences, tables, rules, inline marks); raw HTML stays text.

const FENCE = /^\s{0,3}(```|~~~)\s*(\S*)/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^\s{0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const MAX_DEPTH = 8;
const MAX_SPAN = 1500; // a mark closes within so many characters, so that hostile text costs little

/** parseMarkdown returns blocks: heading, pre, quote, list, table, rule, paragraph. */
export function parseMarkdown(text, depth = 0) {
  const lines = String(text ?? '').replace(/\r\n?/g, '\n').split('\n');
  const out = [];
  for (let at = 0; at < lines.length; ) at = block(lines, at, out, depth);
  return out;
}

function block(lines, at, out, depth) {
  const line = lines[at];
  if (line.trim() === '') return at + 1;
  if (FENCE.test(line)) return fence(lines, at, out);
  if (RULE.test(line)) return out.push({ type: 'rule' }), at + 1;
  const heading = HEADING.exec(line);
  if (heading) return out.push({ type: 'heading', level: heading[1].length, inline: marks(heading[2]) }), at + 1;
  if (/^\s{0,3}>/.test(line) && depth < MAX_DEPTH) return quote(lines, at, out, depth);
  if (ITEM.test(line)) return list(lines, at, out);
  if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) return table(lines, at, out);
  return paragraph(lines, at, out);
}

function fence(lines, at, out) {
  const [, mark, language] = FENCE.exec(lines[at]);
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end++;
  out.push({ type: 'pre', language, text: lines.slice(at + 1, end).join('\n') });
  return end + 1;
}

function quote(lines, at, out, depth) {
  let end = at;
  while (end < lines.length && /^\s{0,3}>/.test(lines[end])) end++;
  const inner = lines.slice(at, end).map((l) => l.replace(/^\s{0,3}> ?/, '')).join('\n');
  out.push({ type: 'quote', blocks: parseMarkdown(inner, depth + 1) });
  return end;
}

function list(lines, at, out) {
  const items = [];
  let end = at;
  for (; end < lines.length && lines[end].trim() !== ''; end++) {
    const item = ITEM.exec(lines[end]);
    if (item) items.push(listItem(item));
    else if (FENCE.test(lines[end]) || HEADING.test(lines[end])) break;
    else items[items.length - 1].text += '\n' + lines[end].trim();
  }
  out.push({ type: 'list', items: items.map(({ text, ...rest }) => ({ ...rest, inline: marks(text) })) });
  return end;
}

function listItem([, indent, bullet, text]) {
  const task = /^\[([ xX])\]\s+(.*)$/.exec(text);
  return {
    indent: Math.min(MAX_DEPTH, Math.floor(indent.replace(/\t/g, '    ').length / 2)),
    number: /\d/.test(bullet) ? Number.parseInt(bullet, 10) : null,
    done: task ? task[1] !== ' ' : null,
    text: task ? task[2] : text,
  };
}

function table(lines, at, out) {
  const align = cells(lines[at + 1]).map((c) => (/^:-+:$/.test(c) ? 'center' : /-:$/.test(c) ? 'right' : 'left'));
  const rows = [cells(lines[at])];
  let end = at + 2;
  for (; end < lines.length && lines[end].includes('|'); end++) rows.push(cells(lines[end]));
  out.push({ type: 'table', align, rows: rows.map((row) => row.map(marks)) });
  return end;
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, '').split('|').map((c) => c.trim());
}

function paragraph(lines, at, out) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() !== '' && !starts(lines[end])) end++;
  out.push({ type: 'paragraph', inline: marks(lines.slice(at, end).map((l) => l.trim()).join('\n')) });
  return end;
}

function starts(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line) || /^\s{0,3}>/.test(line);
}

const INLINE = [
  [/^\\([\\`*_{}[\]()#+\-.!|~>])/, (m) => ({ type: 'text', text: m[1] })],
  [/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/, (m) => ({ type: 'code', text: m[2] })],
  [/^\[([^\]\n]+)\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/, (m, d) => ({ type: 'link', url: m[2], children: marks(m[1], d) })],
  [/^<(https?:\/\/[^\s>]+|mailto:[^\s>]+)>/, (m) => ({ type: 'link', url: m[1], children: [{ type: 'text', text: m[1] }] })],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*/, (m, d) => ({ type: 'bold', children: marks(m[1], d) })],
  [/^__(?=\S)([\s\S]*?\S)__(?!\w)/, (m, d) => ({ type: 'bold', children: marks(m[1], d) }), true],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m, d) => ({ type: 'strike', children: marks(m[1], d) })],
  [/^\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)/, (m, d) => ({ type: 'italic', children: marks(m[1], d) })],
  [/^_(?=[^\s_])([\s\S]*?[^\s_])_(?!\w)/, (m, d) => ({ type: 'italic', children: marks(m[1], d) }), true],
  [/^:([a-z0-9_+-]+):/, (m) => ({ type: 'emoji', name: m[1] })],
  [/^https?:\/\/[^\s<>|"]+[^\s<>|".,;:!?)'\]}]/, (m) => ({ type: 'link', url: m[0], children: [{ type: 'text', text: m[0] }] }), true],
];

/** marks returns the inline tree of one run of Markdown text. */
export function marks(text, depth = 0) {
  const out = [];
  for (let at = 0; at < text.length; ) {
    const hit = depth < MAX_DEPTH ? inlineAt(text, at) : null;
    if (hit) {
      out.push(hit.rule[1](hit.match, depth + 1));
      at += hit.match[0].length;
      continue;
    }
    const char = String.fromCodePoint(text.codePointAt(at));
    const last = out[out.length - 1];
    if (last && last.type === 'text') last.text += char;
    else out.push({ type: 'text', text: char });
    at += char.length;
  }
  return out;
}

function inlineAt(text, at) {
  if (!/[\\`[<*_~:h]/.test(text[at])) return null;
  const rest = text.slice(at, at + MAX_SPAN);
  const afterWord = at > 0 && /\w/.test(text[at - 1]);
  for (const rule of INLINE) {
    if (rule[2] && afterWord) continue;
    const match = rule[0].exec(rest);
    if (match) return { rule, match };
  }
  return null;
}
