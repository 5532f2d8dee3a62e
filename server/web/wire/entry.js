/** One task as this page knows it, from the object that was sent to the last word about it. */

import { shortened } from "./shorten.js";

/** @typedef {"unsent"|"sent"|"waiting"|"queued"|"running"|"done"|"checked"|"failed"|"cancelled"} TaskState */

const ENDED = new Set(["done", "checked", "failed", "cancelled"]);
/** Longer texts of an object are bytes of a picture: they are not kept over a reload. */
const LONG = 4096;
const KEPT = [
  "uuid",
  "taskType",
  "name",
  "group",
  "aside",
  "state",
  "progress",
  "stage",
  "queuePosition",
  "sentAt",
  "endedAt",
  "failures",
  "receipt",
  "cached",
];

export class TaskEntry {
  /** @type {TaskState} */ state = "unsent";
  /** Percent; never less than it was, and 100 only with the result. @type {number|null} */ progress = null;
  stage = "";
  /** @type {number|null} */ queuePosition = null;
  /** @type {number|null} */ endedAt = null;
  /** @type {object[]} */ items = [];
  /** @type {object[]} */ failures = [];
  /** @type {object|null} */ receipt = null;
  cached = false;
  cancelling = false;
  /** Whether the object is whole, so that it can be sent again. */ whole = true;
  /** Whether its result has to be asked for, since it will not come by itself. */ asked = false;
  /** How often it was sent. */ tries = 0;
  /** The next time it is asked for. */ timer = 0;

  /** @param {object} object as it is sent
   * @param {{name?: string, before?: string|null, group?: string, aside?: boolean}} about the file that it is about, the
   * address of the picture before, what it has in common with its array, and whether it is only a step to others */
  constructor(object, { name = "", before = null, group = object.taskUUID, aside = false } = {}) {
    Object.assign(this, { uuid: object.taskUUID, taskType: object.taskType, object, name, before, group, aside });
    this.sentAt = Date.now();
  }

  get ended() {
    return ENDED.has(this.state);
  }

  /** @returns {number} milliseconds from the sending until now or the end */
  get elapsed() {
    return (this.endedAt ?? Date.now()) - this.sentAt;
  }

  /** How it stands, by a side frame or the answer to getResponse. */
  stands({ state, progress, stage, queuePosition }) {
    if (this.ended) return;
    if (state === "finished") return this.#end("done");
    this.state = state ?? this.state;
    if (progress !== undefined) this.progress = Math.min(99, Math.max(this.progress ?? 0, progress));
    this.stage = stage ?? "";
    this.queuePosition = this.state === "running" ? null : (queuePosition ?? null);
  }

  /** Results have come. */
  succeeds(items) {
    if (this.ended) return;
    this.items = items;
    this.receipt = items[0].receipt ?? null;
    this.cached = items.some((item) => item.cached);
    this.#end(items[0].valid && this.object.validateOnly ? "checked" : "done");
  }

  fails(failures) {
    if (this.ended) return;
    this.failures = failures;
    this.#end(failures[0].code === "taskCancelled" ? "cancelled" : "failed");
  }

  #end(state) {
    this.state = state;
    this.cancelling = false;
    this.queuePosition = null;
    this.endedAt = Date.now();
    // The bytes of a picture that is safely at the server need not fill this page's memory.
    if (this.aside && state === "done") ({ value: this.object, whole: this.whole } = shortened(this.object, LONG));
  }

  /** What is kept over a reload: no bytes. */
  kept() {
    const found = Object.fromEntries(KEPT.map((name) => [name, this[name]]));
    const object = shortened(this.object, LONG);
    const items = shortened(this.items, LONG);
    return {
      ...found,
      object: object.value,
      whole: this.whole && object.whole,
      items: items.value,
      complete: items.whole,
    };
  }

  /** An entry as it was kept. Whether one that had not ended goes on, the server knows; results with bytes in them are
   * asked for again. */
  static restored({ complete, ...kept }) {
    const entry = Object.assign(new TaskEntry(kept.object), kept);
    if (!complete) Object.assign(entry, { state: "sent", items: [], endedAt: null });
    entry.asked = !entry.ended;
    return entry;
  }
}
