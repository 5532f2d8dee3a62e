/** What can be done with a task of anybody's: find it, see all of it, end it, do it again. */

import { owner } from "./figures.js";
import { outcome } from "./tasks.js";
import { STAGES, waterfall } from "./waterfall.js";
import { duration, el } from "../dom.js";

export class Tasks {
  /** @param {() => string} key @param {(text: string, bad?: boolean) => void} notice */
  constructor(key, notice) {
    this.key = key;
    this.notice = notice;
  }

  /** Show the tasks with this UUID, or that begin so. @param {string} text */
  async find(text) {
    const answer = await this.#asked("GET", `/board/tasks/${encodeURIComponent(text.trim())}`);
    if (answer) dialog(answer.data.length === 1 ? "Task" : `${answer.data.length} tasks`, ...answer.data.map((task) => this.#about(task)));
  }

  /** @param {any} task */
  open(task) {
    return this.find(task.taskUUID);
  }

  /** @param {any} task */
  async cancel(task) {
    const sentence = `${task.taskType} of ${owner(task.tenant)} ends with taskCancelled, and its client is told so.`;
    if (!(await confirmed("Cancel this task?", sentence, "Keep it", "Cancel the task"))) return;
    const answer = await this.#asked("POST", `${address(task)}/cancel`);
    if (answer) {
      const ended = answer.data[0].status === "cancelled";
      this.notice(ended ? `Task ${task.taskUUID.slice(0, 8)} is cancelled.` : `Task ${task.taskUUID.slice(0, 8)} had ended already.`);
    }
  }

  /** @param {any} task */
  async rerun(task) {
    const sentence = `${task.taskType} is done again for ${owner(task.tenant)}, as a new task. Its client is not told; webhooks are not sent.`;
    if (!(await confirmed("Run this again?", sentence, "Leave it", "Run it again"))) return;
    const answer = await this.#asked("POST", `${address(task)}/rerun`);
    if (answer) this.notice(`Queued again as ${answer.data[0].taskUUID.slice(0, 8)}.`);
  }

  /** One request. What is wrong is shown, and then there is no answer. */
  async #asked(method, path) {
    try {
      const answer = await fetch(path, { method, headers: { authorization: `Bearer ${this.key()}` }, cache: "no-store" });
      const body = await answer.json();
      if (answer.ok) return body;
      this.notice(`${body.error.message} (${body.error.code})`, true);
    } catch {
      this.notice("The server does not answer. Try again in a moment.", true);
    }
    return null;
  }

  /** All that is shown of a task. */
  #about(task) {
    const done = task.ended !== undefined;
    const act = done
      ? el("button", { type: "button", textContent: "Re-run", onclick: () => this.rerun(task) })
      : el("button", { type: "button", className: "bad", textContent: "Cancel", onclick: () => this.cancel(task) });
    const facts = el("dl", { className: "facts" });
    for (const [name, value] of factsOf(task)) facts.append(el("dt", { textContent: name }), el("dd", {}, value));
    return el("article", { className: "found" },
      el("header", { className: "row" }, el("h3", { textContent: task.taskType }), outcome(task)),
      facts, done ? stages(task.spans) : null, el("div", { className: "row" }, act));
  }
}

function address(task) {
  return `/board/tasks/${encodeURIComponent(task.tenant.id)}/${encodeURIComponent(task.taskUUID)}`;
}

function factsOf(task) {
  const when = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
  return [
    ["taskUUID", el("code", { textContent: task.taskUUID })],
    ["Key", owner(task.tenant)],
    task.code ? ["Code", el("code", { textContent: task.code })] : null,
    task.parameter ? ["Parameter", el("code", { textContent: task.parameter })] : null,
    ["Received", when(task.created)],
    task.ended ? ["Ended", when(task.ended)] : null,
    task.ended ? ["Ran", duration(task.seconds * 1000)] : null,
    task.progress === undefined ? null : ["Progress", `${task.progress} %`],
    task.stage ? ["Stage", task.stage] : null,
    task.worker ? ["Worker", el("code", { textContent: task.worker })] : null,
  ].filter(Boolean);
}

/** The waterfall with its numbers. */
function stages(spans) {
  const numbers = el("dl", { className: "facts stages" });
  for (const [stage, word] of STAGES) {
    if (spans[stage]) numbers.append(el("dt", {}, el("span", { className: `key ${stage}`, textContent: word })), el("dd", { textContent: duration(spans[stage]) }));
  }
  return el("div", {}, waterfall(spans), numbers);
}

function dialog(title, ...children) {
  const close = el("button", { type: "button", className: "quiet small", textContent: "Close", onclick: () => shown.close() });
  const shown = el("dialog", { className: "about", "aria-label": title, onclose: () => shown.remove() },
    el("header", { className: "row" }, el("h2", { className: "grow", textContent: title }), close), ...children);
  document.body.append(shown);
  shown.showModal();
}

/** Ask before something is done that cannot be undone. */
function confirmed(title, sentence, no, yes) {
  const refuse = el("button", { type: "button", textContent: no, onclick: () => shown.close("") });
  const agree = el("button", { type: "button", className: "primary", textContent: yes, onclick: () => shown.close("yes") });
  const shown = el("dialog", { className: "sure", "aria-labelledby": "sure-title", "aria-describedby": "sure-text" },
    el("h2", { id: "sure-title", textContent: title }), el("p", { id: "sure-text", textContent: sentence }),
    el("div", { className: "row" }, agree, refuse));
  document.body.append(shown);
  shown.showModal();
  return new Promise((resolve) => {
    shown.addEventListener("close", () => {
      shown.remove();
      if (shown.returnValue) document.querySelector("dialog.about")?.close();
      resolve(shown.returnValue === "yes");
    });
  });
}
