/** Where the time of one task went, as a bar of its stages and in words. A wait longer than all that came after it is
 * drawn shorter, with stripes: else one would see nothing but the wait. */

import { duration, el } from "../dom.js";

/** The stages in their order, and what they are. */
export const STAGES = [
  ["queued", "receive and queue"], ["fetch", "fetch"], ["decode", "decode"], ["run", "run"], ["encode", "encode"],
  ["store", "store"], ["send", "send"],
];

/** @param {Element} place */
export function stagesLegend(place) {
  for (const [stage, word] of STAGES) place.append(el("span", { className: `key ${stage}`, textContent: word }));
  place.firstElementChild.title = "Striped: longer than it is drawn.";
}

/** @param {Record<string, number>} spans milliseconds by stage @returns {HTMLElement} */
export function waterfall(spans) {
  const element = el("span", { className: "waterfall", role: "img" });
  show(element, spans);
  return element;
}

/** @param {HTMLElement} element @param {Record<string, number>} spans */
export function show(element, spans) {
  const words = inWords(spans);
  if (element.title === words) return;
  element.title = words;
  element.setAttribute("aria-label", words);
  const most = whole(spans) - (spans.queued ?? 0) || 1;
  element.replaceChildren(...STAGES.filter(([stage]) => spans[stage]).map(([stage]) => {
    const cut = stage === "queued" && spans.queued > most;
    const part = el("span", { className: cut ? "queued cut" : stage });
    part.style.flexGrow = String((cut ? most : spans[stage]) * 1000); // less than 1 in all would not fill the bar
    return part;
  }));
}

/** All of it, from receipt to answer. @param {Record<string, number>} spans */
export function whole(spans) {
  return Object.values(spans).reduce((sum, part) => sum + part, 0);
}

function inWords(spans) {
  const parts = STAGES.filter(([stage]) => spans[stage]).map(([stage, word]) => `${word} ${duration(spans[stage])}`);
  return parts.join(", ") || "took no time";
}
