/** One socket of the task array that comes back by itself: it authenticates, resumes its session, and knows how far
 * away the server is. Everything that passes is told as "frame" events, without the key. */

const OPEN_SECONDS = 8;
const PING_SECONDS = 10;
const FIRST_PAUSE = 0.6;
const MOST_PAUSE = 15;
const CUT_PAUSE = 3;
/** Close codes by which the server says what to do next. */
const TAKEN = 4409;

/** @typedef {"connecting"|"online"|"waiting"|"offline"|"refused"} State
 * Events: "state"; "frame" {direction, at, size, text, json}; "answer" {frame}; "news" {event}; "ready" {resumed} once
 * tasks can be sent, `resumed` when all that was missed will come by itself. */
export class TaskSocket extends EventTarget {
  /** @type {State} */ state = "offline";
  /** Milliseconds of the last ping, or null. @type {number|null} */ roundTrip = null;
  /** When the next attempt begins, as Date.now() says it. */ retryAt = 0;
  attempt = 0;
  /** Why the key was refused, or what went wrong last. */ reason = "";
  #socket = null;
  #timers = new Map();
  #pinged = 0;
  #owed = 0;

  constructor({ url, key, features = [], session = "" }) {
    super();
    Object.assign(this, { url, key, features, session });
    addEventListener("online", () => this.state === "waiting" && this.open());
  }

  get online() {
    return this.state === "online";
  }

  /** Connect now, whatever was planned. */
  open() {
    this.#leave();
    this.#become("connecting");
    const socket = (this.#socket = new WebSocket(this.url));
    const mine = (handle) => (event) => this.#socket === socket && handle(event);
    socket.onopen = mine(() => this.#authenticate());
    socket.onmessage = mine((event) => this.#take(event.data));
    socket.onclose = mine((event) => this.#closed(event.code));
    this.#after("open", OPEN_SECONDS, () => this.#lost());
  }

  /** Stay away until `open`. */
  close() {
    this.#leave();
    this.#become("offline");
  }

  /** Drop the connection without a word, as a lost network does, to see it come back. */
  cut() {
    this.#lost(CUT_PAUSE);
  }

  /** Send task objects in one message; false when there is no connection to send them on.
   * @param {object[]} objects */
  send(objects) {
    if (!this.online) return false;
    this.#put(objects, objects);
    return true;
  }

  #authenticate() {
    const plain = { taskType: "authentication", features: this.features };
    if (this.session) plain.connectionSessionUUID = this.session;
    this.#put([{ ...plain, apiKey: this.key }], [{ ...plain, apiKey: "…" }]);
  }

  #put(objects, shown) {
    const text = JSON.stringify(objects);
    this.#socket.send(text);
    this.#told("out", text, shown === objects ? text : JSON.stringify(shown), shown);
  }

  #told(direction, text, shown, json) {
    this.#tell("frame", { direction, at: Date.now(), size: bytes(text), text: shown, json });
  }

  #take(text) {
    const frame = JSON.parse(text);
    this.#told("in", text, text, frame);
    for (const event of frame.events ?? []) this.#tell("news", { event });
    if (!frame.data && !frame.errors) return;
    const [first] = [frame.data ?? frame.errors].flat();
    if (frame.data && first.taskType === "authentication") this.#entered(first);
    else if (frame.errors && first.taskType === "authentication") this.#refused(first);
    else if (first.pong) this.#pong();
    else this.#tell("answer", { frame });
  }

  #entered(answer) {
    const asked = this.session;
    this.session = answer.connectionSessionUUID;
    this.attempt = 0;
    this.reason = "";
    this.#clear("open");
    this.#become("online");
    this.#ping();
    this.#tell("ready", { resumed: asked === this.session });
  }

  #refused(failure) {
    this.reason = failure.message;
    if (failure.code !== "invalidApiKey") return; // it closes, and another attempt may do
    this.#leave();
    this.#become("refused");
  }

  #ping() {
    this.#pinged = performance.now();
    this.#owed = this.#socket.bufferedAmount;
    this.#put([{ taskType: "ping", ping: true }], [{ taskType: "ping", ping: true }]);
    this.#after("ping", PING_SECONDS, () => this.#unanswered());
  }

  #pong() {
    this.roundTrip = performance.now() - this.#pinged;
    this.#tell("state", {});
    this.#after("ping", PING_SECONDS, () => this.#ping());
  }

  /** No pong came. While bytes of a large message still go out, it may be behind them. */
  #unanswered() {
    const left = this.#socket.bufferedAmount;
    if (!left || left === this.#owed) return this.#lost();
    this.#owed = left;
    this.#after("ping", PING_SECONDS, () => this.#unanswered());
  }

  #closed(code) {
    // Another tab goes on with this session: this one takes a new one, or the two would take it from each other.
    if (code === TAKEN) this.session = "";
    this.#lost();
  }

  #lost(pause = Math.min(MOST_PAUSE, FIRST_PAUSE * 1.7 ** this.attempt) * (0.75 + Math.random() / 2)) {
    this.#leave();
    this.attempt += 1;
    this.retryAt = Date.now() + pause * 1000;
    this.#become("waiting");
    this.#after("retry", pause, () => this.open());
  }

  /** Nothing of the present socket counts any more. */
  #leave() {
    for (const name of [...this.#timers.keys()]) this.#clear(name);
    const socket = this.#socket;
    this.#socket = this.roundTrip = null;
    socket?.close();
  }

  #become(state) {
    this.state = state;
    this.#tell("state", {});
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(name, seconds, act) {
    this.#clear(name);
    this.#timers.set(name, setTimeout(act, seconds * 1000));
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** Bytes of a text on the wire. A large one is base64, with a byte for each letter. */
function bytes(text) {
  return text.length > 65_536 ? text.length : new TextEncoder().encode(text).length;
}
