// Every node of the page is made here. Text from people, apps and connectors only ever becomes
// a text node or a checked attribute: the page has no way to turn a string into markup (the
// policy in index.html makes the browser refuse it, and test/safety.test.js greps for it).

const SVG = 'http://www.w3.org/2000/svg';
const SAFE_LINK = /^(https?:|mailto:)/i;
const SAFE_IMAGE = /^(https?:|data:image\/(png|jpeg|gif|webp);)/i;

/**
 * el makes an element. Attributes named `on…` are listeners, `data` sets data-*, `style` is a map
 * of CSS properties; null, undefined and false leave an attribute out.
 */
export function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** svg is el for the SVG namespace. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) set(node, key, value);
  append(node, children);
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith('on')) return node.addEventListener(key.slice(2), value);
  if (key === 'data') return Object.entries(value).forEach(([k, v]) => node.setAttribute(`data-${k}`, v));
  if (key === 'style') return Object.entries(value).forEach(([k, v]) => node.style.setProperty(k, v));
  if (key === 'value' || key === 'checked' || key === 'selected') node[key] = value;
  else node.setAttribute(key, value === true ? '' : value);
}

/** append adds strings, nodes and (nested) lists of them; empty values are skipped. */
export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** safeHref returns url if a link may lead there, else null: no javascript:, no data:. */
export function safeHref(url) {
  const text = String(url ?? '');
  if (SAFE_LINK.test(text)) return text;
  return /^\/(?!\/)/.test(text) ? text : null;
}

/** safeImage returns url if it may be loaded as an image, else null. */
export function safeImage(url) {
  const text = String(url ?? '');
  return SAFE_IMAGE.test(text) || /^\/(?!\/)/.test(text) ? text : null;
}

/** link is an anchor that opens elsewhere, or plain text when the address is not one to follow. */
export function link(url, ...children) {
  const href = safeHref(url);
  if (!href) return el('span', null, children);
  return el('a', { href, target: '_blank', rel: 'noopener noreferrer' }, children);
}

/**
 * reconcile makes parent's children those of items, in order, touching only what changed: a node
 * whose signature is the same stays, so scroll position, images and focus survive an update.
 * make(item, old) may return the old node after mending it in place.
 */
export function reconcile(parent, items, { key, signature, make }) {
  const old = new Map([...parent.children].map((node) => [node.__key, node]));
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const before = old.get(key(item));
    const node = keep(before, key(item), item, signature, make);
    old.delete(key(item));
    if (before === cursor && before) cursor = node;
    if (node === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(node, cursor);
    cursor = node.nextElementSibling;
  }
  while (cursor) {
    const next = cursor.nextElementSibling;
    cursor.remove();
    cursor = next;
  }
}

function keep(existing, key, item, signature, make) {
  const sign = signature(item);
  if (existing && existing.__signature === sign) return existing;
  const node = make(item, existing);
  node.__key = key;
  node.__signature = sign;
  if (existing && existing !== node && existing.isConnected) existing.replaceWith(node);
  return node;
}

/** refocus runs change and gives the focus (and caret) back to the field that had it, by its data-field name. */
export function refocus(root, change) {
  const active = document.activeElement;
  const name = root.contains(active) ? active.getAttribute('data-field') : null;
  const caret = name && 'selectionStart' in active ? [active.selectionStart, active.selectionEnd] : null;
  change();
  if (!name || root.contains(document.activeElement)) return;
  const again = [...root.querySelectorAll('[data-field]')].find((n) => n.getAttribute('data-field') === name);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (caret && caret[0] !== null && again.setSelectionRange) again.setSelectionRange(...caret);
}
