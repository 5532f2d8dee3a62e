/** The figures on top, and the queue by key and by type. */

import { duration, el, say } from "../dom.js";
import { bar, Rows, tableBody } from "./rows.js";

const COUNT = new Intl.NumberFormat("en");

/** A number as people read it. @param {number} number */
export function count(number) {
  return COUNT.format(number);
}

/** Whose a task is: the name of the key, or what is known of it. @param {{id: string, name: string}} tenant */
export function owner(tenant) {
  return tenant.name || `key ${tenant.id}`;
}

const FIGURES = [
  ["Waiting", (state) => count(state.figures.waiting), (state) => state.figures.held ? `+ ${count(state.figures.held)} for others` : ""],
  ["Running", (state) => count(state.figures.running), (state) => `${count(state.workers.length)} ${state.workers.length === 1 ? "worker" : "workers"}`],
  ["Oldest", (state) => state.figures.oldestMs ? duration(state.figures.oldestMs) : "–"],
  ["Finished / min", (state) => count(state.minutes.last.succeeded), () => "", "good"],
  ["Failed / min", (state) => count(state.minutes.last.failed), () => "", "bad"],
  ["Sockets", (state) => count(state.figures.sockets)],
  ["Sessions", (state) => count(state.figures.sessions)],
];

/** @param {Element} list @returns {(state: any) => void} */
export function figures(list) {
  const tiles = FIGURES.map(([title, value, more, tone]) => {
    const shown = el("dd", { className: tone ?? "" });
    const beside = el("dd", { className: "soft small" });
    list.append(el("div", {}, el("dt", { textContent: title }), shown, beside));
    return (state) => {
      say(shown, value(state));
      say(beside, more?.(state) ?? "");
      shown.classList.toggle("zero", shown.textContent === "0" || shown.textContent === "–");
    };
  });
  return (state) => tiles.forEach((tile) => tile(state));
}

/** @param {Element} table @returns {(state: any) => void} */
export function keys(table) {
  const body = tableBody(table, ["Key", ["Waiting or running", "wide"], ["Tasks", "number"], ["Waiting", "number"], ["Sockets", "number"]]);
  const rows = new Rows(body, (row) => row.tenant.id, () => {
    const [name, tasks, waiting, sockets] = cells(1, 3);
    const part = bar();
    const element = el("tr", {}, name, el("td", { className: "wide" }, part.element), tasks, waiting, sockets);
    return { element, show: (row, most) => {
      say(name, owner(row.tenant));
      name.title = row.tenant.id;
      part.show(row.tasks / most);
      for (const [cell, number] of [[tasks, row.tasks], [waiting, row.waiting], [sockets, row.sockets]]) say(cell, count(number));
    } };
  });
  return (state) => {
    const most = Math.max(1, ...state.keys.rows.map((row) => row.tasks));
    rows.show(state.keys.rows, most);
    const more = state.keys.more ? `and ${count(state.keys.more)} more keys` : "";
    caption(table, more);
  };
}

/** @param {Element} table @param {Element} note @returns {(state: any) => void} */
export function types(table, note) {
  const body = tableBody(table, ["Type", ["Share", "wide"], ["Waiting", "number"], ["Running", "number"]]);
  const rows = new Rows(body, (row) => row.taskType, (row) => {
    const [name, waiting, running] = cells(1, 2);
    const part = bar();
    name.textContent = row.taskType;
    const element = el("tr", {}, name, el("td", { className: "wide" }, part.element), waiting, running);
    return { element, show: (now, all) => {
      part.show((now.waiting + now.held + now.running) / all);
      say(waiting, count(now.waiting) + (now.held ? ` + ${count(now.held)}` : ""));
      say(running, count(now.running));
    } };
  });
  return (state) => {
    rows.show(state.types, Math.max(1, state.sample.looked));
    const partly = state.sample.looked < state.sample.of;
    say(note, partly ? `of the oldest ${count(state.sample.looked)} of ${count(state.sample.of)}` : "");
  };
}

function cells(names, numbers) {
  const texts = Array.from({ length: names }, () => el("th", { scope: "row" }));
  return [...texts, ...Array.from({ length: numbers }, () => el("td", { className: "number" }))];
}

function caption(table, text) {
  const shown = table.caption ?? table.createCaption();
  say(shown, text);
  shown.hidden = !text;
}
