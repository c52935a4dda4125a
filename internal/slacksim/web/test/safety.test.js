import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const WEB = new URL('../', import.meta.url);
const sources = readdirSync(WEB).filter((name) => name.endsWith('.js')).map((name) => [name, readFileSync(new URL(name, WEB), 'utf8')]);

const FORBIDDEN = [/innerHTML/, /outerHTML/, /insertAdjacentHTML/, /document\.write/, /\beval\s*\(/, /new Function/, /createContextualFragment/, /DOMParser/, /srcdoc/, /setTimeout\(\s*['"`]/];

test('no source turns text into markup or code', () => {
  assert.ok(sources.length > 15);
  for (const [name, text] of sources) for (const pattern of FORBIDDEN) assert.doesNotMatch(text, pattern, name);
});

test('no source reaches outside of its origin', () => {
  for (const [name, text] of sources) {
    for (const [, url] of text.matchAll(/(?:import|from|fetch|EventSource)\s*\(?\s*['"`](https?:[^'"`]+)/g)) assert.fail(`${name} reaches ${url}`);
  }
});

test('the page forbids what it does not need', () => {
  const page = readFileSync(new URL('index.html', WEB), 'utf8');
  for (const rule of ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"]) assert.ok(page.includes(rule), rule);
  assert.doesNotMatch(page, /<script(?![^>]*src=)/, 'inline script');
  assert.doesNotMatch(page, /\son\w+=|style=/, 'inline handler or style');
});

/** luminance of #rrggbb, by WCAG. */
function luminance(color) {
  const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(color.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

const PAIRS = [['ink', 'bg'], ['ink', 'card'], ['ink', 'bg-side'], ['muted', 'bg'], ['muted', 'card'], ['muted', 'bg-side'], ['muted', 'bg-soft'], ['muted', 'bg-hover'], ['muted', 'accent-soft'], ['muted', 'info-soft'], ['muted', 'bad-soft'], ['muted', 'warn-soft'],
  ['accent-ink', 'accent'], ['link', 'bg'], ['link', 'card'], ['link', 'bg-soft'], ['bad', 'card'], ['bad', 'bad-soft'], ['warn', 'warn-soft'], ['good', 'accent-soft'], ['code-ink', 'code-bg'], ['mention-ink', 'mention'], ['ink', 'me'], ['ink-top', 'bg-top']];

test('text is readable in light and dark (WCAG AA, 4.5)', () => {
  const css = readFileSync(new URL('style.css', WEB), 'utf8');
  const [light, dark] = [...css.matchAll(/:root \{([^}]*--bg:[^}]*)\}/g)].map((m) => Object.fromEntries([...m[1].matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/gi)].map((v) => [v[1], v[2]])));
  for (const [name, theme] of [['light', light], ['dark', { ...light, ...dark }]]) {
    for (const [front, back] of PAIRS) {
      const got = contrast(theme[front], theme[back]);
      assert.ok(got >= 4.5, `${name}: ${front} ${theme[front]} on ${back} ${theme[back]} is ${got.toFixed(2)}`);
    }
  }
});
