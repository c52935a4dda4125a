// Faces: a picture when the workspace has one, otherwise a tile with initials in the person's colour.

import { el, safeImage } from './dom.js';

const TILE_COLORS = ['#3f6fb5', '#8a5a9e', '#2f7d6b', '#a8622a', '#a04a62', '#5a6f2d', '#4d5f9e', '#7a5547'];

/** avatar draws a user {id, name, color?, avatar?, is_bot}. */
export function avatar(user) {
  const picture = safeImage(user.avatar);
  if (picture) return el('img', { class: 'avatar', src: picture, alt: '' });
  if (user.is_bot) return el('img', { class: 'avatar', src: '/icon.svg', alt: '' });
  return el('span', { class: 'avatar tile', 'aria-hidden': 'true', style: tint(user) }, initial(user));
}

function initial(user) {
  return [...String(user.name || '?').replace(/^@/, '')][0].toUpperCase();
}

/** painted gives every user without a colour one of ours, by their place in the list: neighbours differ. */
export function painted(users) {
  return users.map((user, i) => (hex(user.color) ? user : { ...user, color: TILE_COLORS[i % TILE_COLORS.length] }));
}

function hex(color) {
  return /^#?[0-9a-f]{6}$/i.test(color || '');
}

/** colorOf is the person's colour: the workspace's, or one fixed by the name. */
export function colorOf(user) {
  if (hex(user.color)) return `#${user.color.replace('#', '')}`;
  const sum = [...String(user.id || user.name)].reduce((n, c) => (n * 31 + c.codePointAt(0)) >>> 0, 7);
  return TILE_COLORS[sum % TILE_COLORS.length];
}

function tint(user) {
  const color = colorOf(user);
  return { background: color, color: ink(color) };
}

/** ink is black or white, whichever reads better on color (WCAG contrast). */
export function ink(color) {
  const channels = [1, 3, 5].map((i) => Number.parseInt(color.slice(i, i + 2), 16) / 255);
  const [r, g, b] = channels.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 ? '#ffffff' : '#111111';
}
