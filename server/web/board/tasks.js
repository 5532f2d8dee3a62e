/** Tasks that run and tasks that ended last, a row each. */

import { count, owner } from "./figures.js";
import { Rows } from "./rows.js";
import { show as showWaterfall, waterfall, whole } from "./waterfall.js";
import { duration, el, say } from "../dom.js";

/** What is done with a task: `open` shows all of it, `cancel` ends it, `rerun` does it again.
 * @typedef {{open: (task: any) => void, cancel: (task: any) => void, rerun: (task: any) => void}} Actions */

/** @param {any} task */
export function known(task) {
  return `${task.tenant.id}:${task.taskUUID}`;
}

/** @param {Element} list @param {Element} note @param {Actions} actions @returns {(state: any) => void} */
export function running(list, note, actions) {
  const rows = new Rows(list, known, (task) => runningRow(task, actions));
  return (state) => {
    rows.show(state.running, state.at);
    const all = state.figures.running;
    say(note, all > state.running.length ? `${count(state.running.length)} of ${count(all)}` : "");
  };
}

function runningRow(task, actions) {
  const bar = el("progress", { max: 100, "aria-label": `Progress of ${task.taskType}` });
  const far = el("span", { className: "number soft" });
  const stage = el("span", { className: "soft stage" });
  const time = el("span", { className: "number time" });
  const worker = el("span", { className: "soft worker mono" });
  const cancel = button("Cancel", task, () => actions.cancel(task));
  const element = el("li", {}, ...identity(task, actions), el("span", { className: "far" }, bar, far), stage, worker, time, cancel);
  return { element, show: (now, at) => {
    if (now.progress === undefined) bar.removeAttribute("value");
    else bar.value = now.progress;
    say(far, now.progress === undefined ? "" : `${now.progress} %`);
    say(stage, now.stage ?? (now.attempt > 1 ? `attempt ${now.attempt}` : ""));
    say(time, now.started ? duration(Math.max(0, at - now.started)) : "starts");
    say(worker, shortWorker(now.worker));
    worker.title = now.worker;
  } };
}

/** @param {Element} list @param {Actions} actions @returns {(state: any) => void} */
export function ended(list, actions) {
  const rows = new Rows(list, known, (task) => endedRow(task, actions));
  return (state) => rows.show(state.ended, state.at);
}

function endedRow(task, actions) {
  const fall = waterfall(task.spans);
  const total = el("span", { className: "number time" });
  const ago = el("span", { className: "soft number ago" });
  const worker = el("span", { className: "soft worker mono", textContent: shortWorker(task.worker), title: task.worker });
  const again = button("Re-run", task, () => actions.rerun(task));
  const element = el("li", {}, ...identity(task, actions), outcome(task), fall, total, worker, ago, again);
  return { element, show: (now, at) => {
    showWaterfall(fall, now.spans);
    say(total, duration(whole(now.spans)));
    say(ago, since(at - now.ended));
  } };
}

/** What, which, whose. */
function identity(task, actions) {
  const uuid = el("button", {
    type: "button", className: "quiet small uuid mono", textContent: task.taskUUID.slice(0, 8), title: task.taskUUID,
    "aria-label": `Task ${task.taskUUID.slice(0, 8)}: show all of it`, onclick: () => actions.open(task),
  });
  return [
    el("span", { className: "type", textContent: task.taskType }), uuid,
    el("span", { className: "owner soft", textContent: owner(task.tenant), title: `key ${task.tenant.id}` }),
  ];
}

/** How a task stands or ended, as a chip. @param {any} task */
export function outcome(task) {
  if (task.state === "succeeded") {
    return el("span", { className: "chip good", textContent: task.cached ? "done, from cache" : "done" });
  }
  if (task.state === "failed") {
    const tone = task.code === "taskCancelled" ? "" : "bad";
    return el("span", { className: `chip ${tone}`, textContent: task.code ?? "failed" });
  }
  return el("span", { className: "chip busy", textContent: task.state === "held" ? "waits for others" : task.state });
}

function button(text, task, act) {
  const name = `${text} ${task.taskType} ${task.taskUUID.slice(0, 8)}`;
  return el("button", { type: "button", className: "small act", textContent: text, "aria-label": name, onclick: act });
}

/** A worker's name without the machine's, which all have in common as a rule. @param {string} name */
export function shortWorker(name) {
  return name.split("-").slice(-2).join("-");
}

/** @param {number} milliseconds */
export function since(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 2) return "just now";
  return seconds < 60 ? `${seconds} s ago` : seconds < 3600 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}
