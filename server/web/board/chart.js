/** The last hour, a bar a minute: what finished, what failed, what was cancelled. */

import { count } from "./figures.js";
import { el, say } from "../dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;
const STEP = 10;
const KINDS = [["succeeded", "finished"], ["failed", "failed"], ["cancelled", "cancelled"]];

/** @param {Element} place @param {Element} legend @returns {(state: any) => void} */
export function chart(place, legend) {
  const top = el("span", { className: "top-of-scale soft", "aria-hidden": "true" });
  const picture = svg("svg", { role: "img", preserveAspectRatio: "none" });
  const first = el("span");
  const hours = el("div", { className: "scale soft row", "aria-hidden": "true" }, first, el("span", { className: "grow" }), el("span", { textContent: "now" }));
  place.append(top, picture, hours);
  for (const [kind, word] of KINDS) legend.append(el("span", { className: `key ${kind}`, textContent: word }));
  let drawn = "";
  return ({ minutes }) => {
    const now = JSON.stringify(minutes);
    if (now === drawn) return;
    drawn = now;
    const most = scaled(Math.max(...minutes.succeeded.map((_, at) => total(minutes, at))));
    picture.setAttribute("viewBox", `0 0 ${minutes.succeeded.length * STEP} ${HEIGHT}`);
    picture.setAttribute("aria-label", told(minutes));
    picture.replaceChildren(...lines(minutes.succeeded.length), ...minutes.succeeded.map((_, at) => column(minutes, at, most)));
    say(top, `${count(most)} / min`);
    say(first, clock(minutes.first));
  };
}

/** The next number that is good for the end of a scale. */
function scaled(most) {
  const step = 10 ** Math.floor(Math.log10(Math.max(most, 4)));
  return [1, 2, 4, 5, 8, 10].map((times) => times * step).find((end) => end >= most) ?? 10 * step;
}

function total(minutes, at) {
  return KINDS.reduce((sum, [kind]) => sum + minutes[kind][at], 0);
}

function column(minutes, at, most) {
  const group = svg("g", {});
  const title = svg("title", {});
  const parts = KINDS.filter(([kind]) => minutes[kind][at]).map(([kind, word]) => `${count(minutes[kind][at])} ${word}`);
  title.textContent = `${clock(minutes.first + at * 60_000)}: ${parts.join(", ") || "nothing ended"}`;
  group.append(title, svg("rect", { class: "hover", x: at * STEP, y: 0, width: STEP, height: HEIGHT }));
  let below = HEIGHT;
  for (const [kind] of KINDS) {
    const height = (minutes[kind][at] / most) * HEIGHT;
    if (!height) continue;
    below -= Math.max(height, 1.5);
    group.append(svg("rect", { class: kind, x: at * STEP + 1.5, y: below, width: STEP - 3, height: Math.max(height, 1.5) }));
  }
  return group;
}

function lines(minutes) {
  return [0, HEIGHT / 2, HEIGHT].map((y) =>
    svg("line", { class: "line", x1: 0, x2: minutes * STEP, y1: y, y2: y, "vector-effect": "non-scaling-stroke" }));
}

/** The picture in words. */
function told(minutes) {
  const sums = KINDS.map(([kind, word]) => `${count(minutes[kind].reduce((sum, number) => sum + number, 0))} ${word}`);
  const most = Math.max(...minutes.succeeded.map((_, at) => total(minutes, at)));
  return `Tasks that ended in each minute of the last hour: ${sums.join(", ")}; at most ${count(most)} in a minute.`;
}

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
