// Where one is, kept in the address: who looks, which channel, which thread. Two tabs with different
// ?user= are two people, and Back works on a phone.

/** read takes the route from the address. */
export function read(search = location.search) {
  const q = new URLSearchParams(search);
  return { user: q.get('user') || '', channel: q.get('channel') || '', thread: q.get('thread') || '', home: q.get('view') === 'home', list: q.get('view') === 'list' };
}

/** address is the route as a query string, with names instead of ids where there is one. */
export function address(route, state) {
  const user = state?.users.find((u) => u.id === route.user)?.name || route.user;
  const channel = state?.channels.find((c) => c.id === route.channel)?.name || route.channel;
  const view = route.home ? 'home' : route.list ? 'list' : '';
  const given = Object.entries({ user, channel, thread: route.thread, view }).filter(([, value]) => value);
  return `?${new URLSearchParams(given)}`;
}

/** resolve turns names of the address into ids of the workspace; unknown ones fall back to what there is. */
export function resolve(route, state) {
  const by = (list, word) => list.find((item) => item.id === word || item.name === word);
  const channel = by(state.channels, route.channel);
  return {
    ...route, user: state.me.id, channel: channel?.id || state.channels[0]?.id || '',
    thread: channel || !route.channel ? route.thread : '',
  };
}
