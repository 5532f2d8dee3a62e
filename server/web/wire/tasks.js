/** The tasks of this tab. What was sent gets its answer, whatever becomes of the socket, the gateway or the page: a
 * task that the server does not know is sent again under its taskUUID, and one whose session is gone is asked for. */

import { TaskEntry } from "./entry.js";
import { acknowledged, parts, question, steps } from "./messages.js";
import { newUUID } from "../uuid.js";

const MOST = 200;
/** Of those that have ended, so many are kept over a reload. */
const KEPT = 40;
const ASK_AGAIN = 1000;
const TRIES = 4;
/** Part of the conversation: their answers are about other tasks or none. */
const TALK = new Set(["authentication", "ping", "getResponse", "getTaskDetails", "taskCancel"]);

/** Events: "added" {uuid}, "change" {uuid}, "removed" {uuid}. */
export class TaskList extends EventTarget {
  /** Oldest first. @type {Map<string, TaskEntry>} */ entries = new Map();

  /** @param {import("./connection.js").TaskSocket} socket @param {import("./usual.js").UsualTimes} usual
   * @param {object[]} kept entries as `TaskEntry.kept` wrote them */
  constructor(socket, usual, kept = []) {
    super();
    Object.assign(this, { socket, usual });
    for (const entry of kept.map(TaskEntry.restored)) this.entries.set(entry.uuid, entry);
    socket.addEventListener("ready", ({ detail }) => this.#catchUp(detail.resumed));
    socket.addEventListener("answer", ({ detail }) => this.#answered(detail.frame));
    socket.addEventListener("news", ({ detail }) => this.#heard(detail.event));
  }

  /** Send tasks, now or when there is a connection.
   * @param {object[]} objects @param {Record<string, {name?: string, before?: string|null}>} about */
  submit(objects, about = {}) {
    const added = [];
    const aside = steps(objects);
    for (const object of objects) {
      const known = this.entries.get(object.taskUUID);
      if (TALK.has(object.taskType) || !object.taskUUID || (known && !known.ended)) continue;
      if (known) this.#remove(known.uuid);
      const group = added[0]?.uuid ?? object.taskUUID;
      const entry = new TaskEntry(object, { ...about[object.taskUUID], group, aside: aside.has(object) });
      this.entries.set(entry.uuid, entry);
      added.push(entry);
    }
    for (const part of parts(objects)) this.#send(part);
    for (const { uuid } of added) this.#tell("added", uuid);
    this.#trim();
  }

  /** @param {string} uuid */
  cancel(uuid) {
    const entry = this.entries.get(uuid);
    if (!entry || entry.ended) return;
    entry.cancelling = this.socket.send([{ taskType: "taskCancel", taskUUID: newUUID(), targets: [uuid] }]);
    this.#tell("change", uuid);
  }

  /** The same task as a new one, done anew. @param {string} uuid */
  rerun(uuid) {
    const { object, name, before } = this.entries.get(uuid);
    const again = { cache: "refresh", ...object, taskUUID: newUUID() };
    this.submit([again], { [again.taskUUID]: { name, before } });
    return again.taskUUID;
  }

  /** Forget those that have ended. */
  clear() {
    this.#forget((entry) => entry.ended);
  }

  /** Forget what is under way: it belongs to a key that is no longer used here. */
  leave() {
    this.#forget((entry) => !entry.ended && entry.state !== "unsent");
  }

  #forget(whether) {
    for (const entry of [...this.entries.values()].filter(whether)) this.#remove(entry.uuid);
  }

  /** What survives a reload. */
  kept() {
    const all = [...this.entries.values()];
    const old = new Set(all.filter((entry) => entry.ended).slice(0, -KEPT));
    return all.filter((entry) => !old.has(entry)).map((entry) => ({ ...entry.kept(), before: this.#lasting(entry) }));
  }

  /** Where the picture before lies when this page is gone: at the server, once it was uploaded. */
  #lasting(entry) {
    if (!entry.before?.startsWith("blob:")) return entry.before;
    const named = JSON.stringify(entry.object);
    for (const {
      uuid,
      items: [item],
    } of this.entries.values()) {
      if (
        item?.imageURL &&
        (named.includes(`"${uuid}"`) || named.includes(`"${item.imageUUID}"`)) &&
        uuid !== entry.uuid
      )
        return item.imageURL;
    }
    return null;
  }

  #send(objects) {
    if (!this.socket.send(objects)) return;
    for (const { taskUUID } of objects) {
      const entry = this.entries.get(taskUUID);
      if (!entry || entry.state !== "unsent") continue;
      entry.state = "sent";
      entry.sentAt = Date.now();
      entry.tries += 1;
      this.#tell("change", taskUUID);
    }
  }

  /** There is a connection (again): send what was not sent, and ask about what was. */
  #catchUp(resumed) {
    const open = [...this.entries.values()].filter((entry) => !entry.ended);
    const asked = open.filter((entry) => entry.state !== "unsent");
    for (const entry of asked) entry.asked ||= !resumed;
    if (asked.length) this.socket.send(asked.map(question));
    for (const part of parts(open.filter((entry) => entry.state === "unsent").map((entry) => entry.object)))
      this.#send(part);
  }

  #answered(frame) {
    const told = [frame.data ?? frame.errors].flat();
    const entry = this.entries.get(told[0].taskUUID);
    if (frame.errors && told[0].taskType === "getResponse" && told[0].code === "taskNotFound") this.#unknown(entry);
    else if (frame.errors && !entry && !told[0].taskUUID) this.#stray(told);
    else if (entry && frame.errors) this.#ends(entry, () => entry.fails(told));
    else if (entry && told[0].status === "processing") this.#goesOn(entry, told[0]);
    else if (entry && acknowledged(told[0])) this.#goesOn(entry, {});
    else if (entry) this.#ends(entry, () => entry.succeeds(told));
    else if (told[0].taskType === "taskCancel") this.#cancelled(told[0].results);
  }

  #goesOn(entry, told) {
    const state = told.progress !== undefined ? "running" : entry.state === "sent" ? "queued" : entry.state;
    entry.stands({ ...told, state });
    this.#tell("change", entry.uuid);
    if (entry.object.deliveryMethod === "async" || entry.object.webhookURL) entry.asked = true;
    if (entry.asked) entry.timer ||= setTimeout(() => this.#askAgain(entry), ASK_AGAIN);
  }

  #askAgain(entry) {
    entry.timer = 0;
    if (!entry.ended) this.socket.send([question(entry)]);
  }

  #ends(entry, end) {
    const already = entry.ended;
    end();
    if (already) return;
    const [first] = entry.items;
    if (entry.state === "done" && !entry.cached) this.usual.took(entry.taskType, entry.elapsed);
    if (entry.state === "checked" && first.estimatedSeconds)
      this.usual.told(entry.taskType, first.estimatedSeconds * 1000);
    this.#tell("change", entry.uuid);
  }

  /** The server does not know a task that this page has sent: it was lost on its way, and goes again. */
  #unknown(entry) {
    if (!entry || entry.ended) return;
    if (entry.whole && entry.tries < TRIES) {
      entry.state = "unsent";
      this.#send([entry.object]);
    } else {
      const message =
        "The server does not know this task, and its bytes were gone with the reload. Send it again as a new one.";
      this.#ends(entry, () => entry.fails([{ code: "taskNotFound", message, taskUUID: entry.uuid }]));
    }
  }

  /** A refusal that names no task, like that of an object without a taskUUID. */
  #stray(failures) {
    const entry = new TaskEntry({ taskType: failures[0].taskType ?? "message", taskUUID: newUUID() });
    entry.whole = false;
    entry.fails(failures);
    this.entries.set(entry.uuid, entry);
    this.#tell("added", entry.uuid);
  }

  #cancelled(results) {
    for (const { taskUUID, status } of results ?? []) {
      const entry = this.entries.get(taskUUID);
      if (entry && status !== "cancelled") entry.cancelling = false;
      if (entry) this.#tell("change", taskUUID);
    }
  }

  #heard(event) {
    const entry = event.type === "task" && this.entries.get(event.taskUUID);
    if (!entry) return;
    const ended = entry.ended;
    entry.stands(event);
    if (!ended) this.#tell("change", entry.uuid);
  }

  #trim() {
    for (const entry of this.entries.values()) {
      if (this.entries.size <= MOST) return;
      if (entry.ended) this.#remove(entry.uuid);
    }
  }

  #remove(uuid) {
    this.entries.delete(uuid);
    this.#tell("removed", uuid);
  }

  #tell(type, uuid) {
    this.dispatchEvent(new CustomEvent(type, { detail: { uuid } }));
  }
}
