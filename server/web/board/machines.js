/** The processes: workers with what they are at, and gateways. */

import { count } from "./figures.js";
import { Rows, tableBody } from "./rows.js";
import { shortWorker } from "./tasks.js";
import { duration, el, say, size } from "../dom.js";

/** @param {Element} table @param {Element} note @returns {(state: any) => void} */
export function workers(table, note) {
  const body = tableBody(table, ["Worker", "At work on", ["For", "number"], ["Memory", "number"], ["Its task process", "number wide"]]);
  const rows = new Rows(body, (worker) => worker.name, workerRow);
  return (state) => {
    const tasks = new Map(state.running.map((task) => [task.taskUUID, task]));
    rows.show(state.workers, { tasks, at: state.at });
    const busy = state.workers.filter((worker) => worker.tasks.length).length;
    say(note, state.workers.length ? `${count(busy)} of ${count(state.workers.length)} at work` : "");
  };
}

function workerRow(worker) {
  const doing = el("td");
  const [time, memory, taskMemory] = numbers(3);
  taskMemory.classList.add("wide");
  const [pid, mark] = shortWorker(worker.name).split("-");
  const name = el("th", { scope: "row", className: "mono", title: worker.name },
    el("span", { className: "wide", textContent: `${pid}-` }), mark);
  const element = el("tr", {}, name, doing, time, memory, taskMemory);
  return { element, show: (now, { tasks, at }) => {
    const mine = now.tasks.map((uuid) => tasks.get(uuid)).filter(Boolean);
    const first = mine[0];
    say(doing, first ? first.taskType + (mine.length > 1 ? ` and ${count(mine.length - 1)} more` : "") : "idle");
    doing.className = first ? "doing" : "doing soft";
    say(time, first?.started ? duration(Math.max(0, at - first.started)) : "");
    say(memory, bytes(now.memory + now.taskMemory));
    say(taskMemory, bytes(now.taskMemory));
  } };
}

/** @param {Element} table @param {Element} note @returns {(state: any) => void} */
export function gateways(table, note) {
  const body = tableBody(table, ["Gateway", ["Machine", "wide"], ["Sockets", "number"], ["Sessions", "number"], ["Memory", "number"]]);
  const rows = new Rows(body, (gateway) => gateway.name, gatewayRow);
  return (state) => {
    rows.show(state.gateways, state.at);
    const { due, givenUp } = state.webhooks;
    say(note, due || givenUp ? `webhooks: ${count(due)} due, ${count(givenUp)} given up` : "");
  };
}

function gatewayRow(gateway) {
  const [sockets, sessions, memory] = numbers(3);
  const state = el("span", { className: "chip warn", textContent: "stopping", hidden: true });
  const name = el("th", { scope: "row", className: "mono", title: gateway.name }, `${gateway.name.slice(0, 6)} `, state);
  const machine = el("td", { className: "wide", textContent: `${gateway.host} · ${gateway.pid}` });
  const element = el("tr", {}, name, machine, sockets, sessions, memory);
  return { element, show: (now) => {
    state.hidden = !now.draining;
    for (const [cell, text] of [[sockets, count(now.sockets)], [sessions, count(now.sessions)], [memory, bytes(now.memory)]]) say(cell, text);
  } };
}

function numbers(many) {
  return Array.from({ length: many }, () => el("td", { className: "number" }));
}

/** Memory is 0 where the system does not say. */
function bytes(number) {
  return number ? size(number) : "–";
}
