// The page of the simulated workspace, top to bottom: read who looks, fetch what they see, draw it,
// and follow the server's events. No framework and no build: what is here is what runs.

import { el } from './dom.js';
import { get, post, Refused, Stream } from './api.js';
import { address, read, resolve } from './route.js';
import { draw as drawBlocks } from './blocks.js';
import { refreshTimes } from './inline.js';
import { sidebar, personSwitch } from './sidebar.js';
import { avatar, painted } from './people.js';
import { spoken } from './message.js';
import { Composer } from './composer.js';
import { Controls } from './controls.js';
import { Forms } from './forms.js';
import { Hints } from './hints.js';
import { Keys } from './keys.js';
import { Modals } from './modal.js';
import { Pane } from './pane.js';
import { source, traffic } from './raw.js';
import { Toasts } from './toast.js';

const COALESCE = 40;
const TICK = 20000;
const PHONE = '(max-width: 759px)';
const byID = (id) => document.getElementById(id);

class App {
  constructor() {
    this.forms = new Forms();
    this.unread = new Map();
    this.around = { users: new Map(), channels: new Map(), me: '', version: 0, now: () => Date.now() / 1000 };
    this.toasts = new Toasts(byID('toasts'));
    this.deeds = this.makeDeeds();
    this.channel = this.makePane({ label: 'Messages', opensThreads: true, empty: () => this.emptyChannel() });
    this.thread = this.makePane({ label: 'Thread', inThread: true, empty: () => el('p', { class: 'empty' }, 'This thread is not there any more.') });
    this.composer = this.makeComposer('composer', () => this.invitation(), this.channel, () => '');
    this.reply = this.makeComposer('thread-composer', () => 'Reply in this thread…', this.thread, () => this.route.thread);
    this.modals = new Modals({
      around: this.around, forms: this.forms, press: (view) => this.presser(() => ({ view_id: view.id }), `v-${view.id}`),
      submit: (view, values) => this.submitView(view, values), close: (view) => this.closeView(view),
    });
    this.controls = new Controls({ panel: byID('controls'), toggle: byID('controls-toggle'), run: (c) => this.runControl(c) });
    this.hints = new Hints({
      strip: byID('hints'), names: () => this.players(), current: () => this.state.me.name,
      breakIt: () => this.controls.open(true), become: (name) => this.become(this.state.users.find((u) => u.name === name)),
    });
  }

  async start() {
    const wanted = read();
    await this.loadState(wanted.user);
    this.route = resolve(wanted, this.state);
    history.replaceState(null, '', address(this.route, this.state));
    byID('thread-body').append(this.thread.node, this.reply.node);
    byID('help').addEventListener('click', () => this.hints.again());
    byID('payloads').addEventListener('click', () => this.payloads());
    this.keys = new Keys(this);
    byID('keys').addEventListener('click', () => this.keys.help());
    window.addEventListener('popstate', () => this.arrive(resolve(read(), this.state)));
    document.addEventListener('keydown', (e) => this.escape(e));
    this.follow();
    this.drawState();
    this.apply({});
    setInterval(() => refreshTimes(document.body, this.around.now()), TICK);
  }

  // ---- what the server knows ----

  /** loadState fetches the workspace as user (a name or an id) sees it; an unknown one becomes the first person. */
  async loadState(user) {
    const state = await get('state', { user });
    const meant = state.users.find((u) => u.name === user && !u.is_bot);
    return this.take(meant && meant.id !== state.me.id ? await get('state', { user: meant.id }) : state);
  }

  take(state) {
    const users = painted(state.users);
    this.state = { controls: [], commands: [], ...state, users, me: users.find((u) => u.id === state.me.id) || state.me };
    const known = JSON.stringify([users, state.channels.map((c) => [c.id, c.name])]);
    if (known !== this.known) this.around.version++;
    this.known = known;
    this.around.me = state.me.id;
    this.around.users = new Map(users.map((u) => [u.id, u]));
    this.around.channels = new Map(state.channels.map((c) => [c.id, c]));
  }

  async refreshState() {
    const user = this.route.user;
    const state = await get('state', { user });
    if (user !== this.route.user) return;
    this.take(state);
    this.drawState();
  }

  follow() {
    this.stream?.close();
    this.stream = new Stream(this.state.me.id, {
      live: (on) => (byID('line').hidden = on),
      resync: () => this.resync(),
      message: (e) => this.heard(e),
      ephemeral: (e) => this.heard(e),
      view: (e) => this.modals.show('view' in e ? e.view : e.id ? e : null),
      home: () => this.soon('state', () => this.refreshState()),
      controls: () => this.soon('state', () => this.refreshState()),
      connected: () => this.soon('state', () => this.refreshState()),
      toast: (e) => this.toasts.say(e.text, Boolean(e.error)),
    });
  }

  resync() {
    this.soon('state', () => this.refreshState());
    this.soon('channel', () => this.loadChannel());
    this.soon('thread', () => this.loadThread());
  }

  heard({ channel, ts, thread_ts: thread }) {
    if (channel && channel !== this.route.channel) return this.elsewhere(channel, ts);
    this.soon('channel', () => this.loadChannel());
    if (this.route.thread && (!thread || thread === this.route.thread || ts === this.route.thread)) this.soon('thread', () => this.loadThread());
    if (this.route.home) this.elsewhere(channel, ts);
  }

  elsewhere(channel) {
    this.unread.set(channel, (this.unread.get(channel) || 0) + 1);
    this.drawSidebar();
  }

  /** soon runs a fetch once for a burst of events, and never two of a kind at a time. */
  soon(kind, run) {
    this.jobs ??= {};
    const job = (this.jobs[kind] ??= { again: false, on: false });
    job.run = run;
    if (job.on) return void (job.again = true);
    job.on = true;
    setTimeout(async () => {
      job.again = false;
      await this.attempt(job.run);
      job.on = false;
      if (job.again) this.soon(kind, job.run);
    }, COALESCE);
  }

  /** attempt runs a deed and shows its refusal; it tells whether it went well. */
  async attempt(run) {
    try {
      await run();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) console.error(error);
      this.toasts.say(error.message, true);
      return false;
    }
  }

  async loadChannel() {
    const { channel, user } = this.route;
    if (!channel || this.route.home) return;
    const { messages } = await get('messages', { user, channel });
    if (channel !== this.route.channel || user !== this.route.user) return;
    this.unread.delete(channel);
    this.announce(this.channel.show(messages));
    this.drawSidebar();
  }

  async loadThread() {
    const { channel, thread, user } = this.route;
    if (!thread) return;
    const { messages } = await get('messages', { user, channel, thread });
    if (thread !== this.route.thread || user !== this.route.user) return;
    this.announce(this.thread.show(messages));
  }

  announce(news) {
    if (news.length) byID('spoken').textContent = spoken(news[news.length - 1], this.around);
  }

  // ---- where one is ----

  /** go changes the route and remembers it; replace does not add a step to Back. */
  go(change, replace = false) {
    const route = { ...this.route, list: false, ...change };
    history[replace ? 'replaceState' : 'pushState'](null, '', address(route, this.state));
    this.arrive(route);
  }

  arrive(route) {
    const before = this.route;
    this.route = route;
    if (route.user !== before.user) return this.attempt(() => this.switchPerson(route));
    this.apply(before);
  }

  /** apply makes the page show this.route, fetching only what differs from before. */
  apply(before) {
    const { route } = this;
    const moved = before.channel !== route.channel || before.user !== route.user;
    if (moved) this.channel.reset();
    if (moved || before.home !== route.home) this.soon('channel', () => this.loadChannel());
    if (moved || before.thread !== route.thread) this.thread.reset();
    if (route.thread && (moved || before.thread !== route.thread)) this.soon('thread', () => this.loadThread());
    document.body.dataset.show = route.list ? 'list' : route.thread && !route.home ? 'thread' : 'main';
    byID('thread').hidden = !route.thread || route.home;
    document.body.classList.toggle('has-thread', !byID('thread').hidden);
    this.drawMain();
    this.drawSidebar();
    if (route.thread && before.thread !== route.thread && matchMedia('(hover: hover)').matches) this.reply.field.focus();
  }

  async switchPerson(route) {
    await this.loadState(route.user);
    this.forms = new Forms();
    this.modals.forms = this.forms;
    this.unread.clear();
    this.route = resolve(route, this.state);
    this.follow();
    this.drawState();
    this.apply({});
  }

  become(user) {
    if (user && user.id !== this.route.user) this.go({ user: user.id, list: this.route.list });
  }

  escape(event) {
    if (event.key !== 'Escape' || event.defaultPrevented || !this.route.thread) return;
    if (document.querySelector('dialog[open]') || document.querySelector(':popover-open') || !byID('controls').hidden) return;
    if (!event.target.matches('textarea, input') || event.target.value === '') this.go({ thread: '' });
  }

  /** writes puts the caret into the message box that is in view, with words when it is empty. */
  writes(words) {
    const composer = byID('thread').hidden ? this.composer : this.reply;
    composer.field.focus();
    if (words && composer.field.value === '') {
      composer.field.value = words;
      composer.field.dispatchEvent(new Event('input', { bubbles: true }));
    }
  }

  threadOf(m) {
    if (m && !m.note && !m.ephemeral) this.deeds.openThread(m);
  }

  payloads() {
    traffic();
  }

  here() {
    return this.around.channels.get(this.route?.channel);
  }

  /** players are the two people of the first steps: the one on call and the one who approves. */
  players() {
    const people = this.state.users.filter((u) => !u.is_bot).map((u) => u.name);
    return [people.find((n) => n === 'oncall') || people[0], people.find((n) => n === 'approver') || people[1] || people[0]];
  }

  // ---- drawing ----

  drawState() {
    const { state } = this;
    byID('team').textContent = state.team?.name || 'Workspace';
    personSwitch(byID('person'), { state, become: (u) => this.become(u), address: (u) => address({ ...this.route, user: u.id }, state) });
    this.controls.show(state.controls || []);
    this.hints.show((state.controls || []).length > 0);
    this.modals.show(state.view || null);
    const bot = state.users.find((u) => u.is_bot)?.name || 'The app';
    byID('banner').hidden = state.connected !== false;
    byID('banner').textContent = `${bot} is not connected: commands and buttons will fail until it is back.`;
    this.channel.draw();
    this.thread.draw();
    this.drawSidebar();
    this.drawMain();
  }

  drawSidebar() {
    sidebar(byID('sidebar'), { state: this.state, route: this.route, unread: this.unread, deeds: this.deeds });
    const here = this.route.home ? 'Home' : `#${this.here()?.name || ''}`;
    const fresh = [...this.unread.values()].reduce((a, b) => a + b, 0);
    document.title = `${fresh ? `(${fresh}) ` : ''}${here} · ${this.state.team?.name || 'workspace'}`;
  }

  drawMain() {
    const { route, state } = this;
    const bot = state.users.find((u) => u.is_bot);
    const back = el('button', { type: 'button', class: 'back', 'aria-label': 'Back to channels', onclick: () => this.go({ list: true, thread: '' }) }, '‹');
    const title = route.home
      ? [bot && avatar(bot), el('h1', null, bot?.name || 'Home'), el('span', { class: 'topic' }, 'Home')]
      : [el('h1', null, el('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), this.here()?.name || ''), el('span', { class: 'topic', title: this.here()?.topic }, this.here()?.topic || '')];
    byID('main-head').replaceChildren(back, ...title.filter(Boolean));
    byID('thread-head').replaceChildren(
      el('button', { type: 'button', class: 'back', 'aria-label': 'Back to the channel', onclick: () => this.go({ thread: '' }) }, '‹'),
      el('h2', null, 'Thread'), el('span', { class: 'topic' }, `#${this.here()?.name || ''}`),
      el('button', { type: 'button', class: 'dismiss wide-only', 'aria-label': 'Close thread', title: 'Close (Esc)', onclick: () => this.go({ thread: '' }) }, '✕'));
    this.showBody(route.home);
    this.composer.refresh();
    this.reply.refresh();
  }

  showBody(home) {
    const body = byID('main-body');
    const wanted = home ? 'home' : 'channel';
    if (body.dataset.body !== wanted) body.replaceChildren(...(home ? [this.homeNode()] : [this.channel.node, this.composer.node]));
    body.dataset.body = wanted;
    if (home) this.drawHome();
    else this.channel.following && this.channel.toEnd();
  }

  homeNode() {
    this.home ??= el('div', { class: 'scroller home', data: { testid: 'home-view' } }, el('div', { class: 'blocks' }));
    return this.home;
  }

  drawHome() {
    const view = this.state.home;
    const holder = this.homeNode().firstElementChild;
    if (!view) return holder.replaceChildren(el('p', { class: 'empty' }, 'The app has not published its Home yet.'));
    if (this.homeUser !== this.state.me.id) holder.replaceChildren();
    holder.querySelector('.empty')?.remove();
    this.homeUser = this.state.me.id;
    const press = this.presser(() => ({ view_id: this.state.home?.id }), 'home'); // each publication has an id of its own
    drawBlocks(holder, view.blocks, { name: 'home', form: this.forms.of('home'), around: this.around, press });
  }

  emptyChannel() {
    return el('div', { class: 'empty' }, el('strong', null, `This is the very beginning of #${this.here()?.name || ''}`), el('p', null, this.here()?.topic || 'Say something, or type / to see the commands.'));
  }

  // ---- what people do ----

  makePane(options) {
    return new Pane({
      ...options, around: this.around, noteAuthor: 'workspace', deeds: this.deeds,
      surface: (m) => this.messageSurface(m),
    });
  }

  messageSurface(m) {
    const { channel } = this.route;
    const name = `m-${channel}-${m.ts}`;
    return { name, form: this.forms.of(name), around: this.around, press: this.presser(() => ({ channel, ts: m.ts }), name) };
  }

  /**
   * presser returns the function that tells the app of one action on target(); refusals become a toast. Its suggest asks
   * the app what an external select offers.
   */
  presser(target, name) {
    const press = async (action) => {
      const user = this.route.user;
      const done = await this.attempt(() => post('press', { user, ...target(), ...action, state: { values: this.forms.of(name).values } }));
      if (done) this.hints.pressed(user, action);
    };
    press.suggest = async (element) => {
      let options = [];
      await this.attempt(async () => ({ options } = await post('suggest', { user: this.route.user, ...target(), ...element })));
      return options || [];
    };
    return press;
  }

  makeComposer(testid, label, pane, thread) {
    const composer = new Composer({
      testid, label, commands: () => this.state?.commands || [], refused: (sentence) => pane.note(sentence, true),
      send: async (text) => {
        const body = { user: this.route.user, channel: this.route.channel, text, ...(thread() ? { thread: thread() } : {}) };
        pane.following = true;
        await post(this.isCommand(text) ? 'command' : 'post', body);
        this.soon('channel', () => this.loadChannel());
        this.soon('thread', () => this.loadThread());
      },
    });
    if (testid === 'composer') composer.field.id = 'composer';
    return composer;
  }

  invitation() {
    if (matchMedia(PHONE).matches) return 'Message, or / for commands';
    return `Message #${this.here()?.name || ''}, or type / for commands`;
  }

  /** isCommand: like Slack, any line that starts with a slash and a letter is a command, known or not. */
  isCommand(text) {
    return /^\/[a-z]/i.test(text);
  }

  makeDeeds() {
    const mine = (m, more = {}) => ({ user: this.route.user, channel: this.route.channel, ts: m.ts, ...more });
    const tell = (path, m, more) => this.attempt(async () => {
      await post(path, mine(m, more));
      this.soon('channel', () => this.loadChannel());
      this.soon('thread', () => this.loadThread());
    });
    return {
      openChannel: (c) => this.go({ channel: c.id, home: false, thread: c.id === this.route.channel ? this.route.thread : '' }),
      openHome: () => {
        if (!this.route.home || this.route.list) this.go({ home: true, thread: '' });
        this.attempt(() => post('home', { user: this.route.user }));
      },
      openThread: (m) => this.go({ thread: m.thread_ts || m.ts }),
      react: (m, name, remove) => tell('react', m, { name, remove }),
      edit: (m, text) => tell('edit', m, { text }),
      remove: (m) => tell('delete', m),
      pin: (m) => tell('pin', m, { remove: Boolean(m.pinned) }),
      source,
      shortcuts: () => this.state.shortcuts || [],
      shortcut: (m, s) => tell('shortcut', m, { callback_id: s.callback_id }),
    };
  }

  async runControl(control) {
    await this.attempt(async () => {
      const answer = await post('control', { user: this.route.user, id: control.id });
      this.toasts.say(answer.text || answer.message || answer.result || '');
      this.hints.broke();
      if (matchMedia(PHONE).matches) this.controls.open(false);
      await this.refreshState();
    });
  }

  async submitView(view, values) {
    const answer = await post('submit', { user: this.route.user, view_id: view.id, values });
    if (!answer.errors || Object.keys(answer.errors).length === 0) {
      this.forms.forget(`v-${view.id}`);
      this.soon('state', () => this.refreshState());
    }
    return answer;
  }

  async closeView(view) {
    this.modals.hide();
    await this.attempt(() => post('close', { user: this.route.user, view_id: view.id }));
    this.soon('state', () => this.refreshState());
  }
}

const app = new App();
app.start().catch((error) => {
  console.error(error);
  byID('main-body').replaceChildren(el('div', { class: 'empty' },
    el('strong', null, 'This workspace could not be opened'), el('p', null, error.message),
    el('button', { type: 'button', class: 'button primary', onclick: () => location.reload() }, 'Try again')));
});
