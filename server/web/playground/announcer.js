/** What a screen reader is told without being asked: results, failures, the connection. Not each step of progress, and
 * what comes together is told together. */

import { duration } from "../dom.js";

const PAUSE = 700;

export class Announcer {
  #ended = [];
  #timer = 0;
  #online = null;

  /** @param {HTMLElement} region with aria-live */
  constructor(region) {
    this.region = region;
  }

  /** @param {import("../wire/entry.js").TaskEntry} entry that has just ended */
  ended(entry) {
    this.#ended.push(entry);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), PAUSE);
  }

  /** @param {string} state of the connection */
  connection(state) {
    const online = state === "online";
    if (online === this.#online || state === "connecting") return;
    if (this.#online !== null)
      this.say(online ? "Connected again." : state === "refused" ? "The key was refused." : "Connection lost.");
    else if (!online) this.say("No connection.");
    this.#online = online;
  }

  say(sentence) {
    this.region.textContent = sentence;
  }

  #tell() {
    const all = this.#ended.splice(0);
    if (all.length === 1) return this.say(sentence(all[0]));
    const failed = all.filter(({ state }) => state === "failed").length;
    this.say(`${all.length} tasks have ended${failed ? `, ${failed} of them failed` : ""}.`);
  }
}

function sentence({ state, taskType, name, failures, elapsed }) {
  const what = name ? `${taskType} of ${name}` : taskType;
  if (state === "failed") return `${what} failed: ${failures[0].message}`;
  if (state === "cancelled") return `${what} was cancelled.`;
  if (state === "checked") return `${what} is valid.`;
  return `${what}: the result is ready, after ${duration(elapsed)}.`;
}
