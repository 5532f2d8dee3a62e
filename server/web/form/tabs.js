/** Tabs over panels, worked by pointer and by the arrow keys. */

import { el } from "../dom.js";
import { fresh } from "./field.js";

/** @param {string} label of the whole
 * @param {Record<string, HTMLElement>} panels by the words on their tabs; the first is shown
 * @param {(name: string) => void} [shown] told of each change
 * @returns {{element: HTMLElement, show: (name: string) => void, current: () => string}} the row of tabs */
export function tabs(label, panels, shown = () => {}) {
  const names = Object.keys(panels);
  let current = names[0];
  const buttons = names.map((name) => tab(name, panels[name], () => show(name)));
  const element = el("div", { className: "tabs", role: "tablist", "aria-label": label }, ...buttons);

  function show(name) {
    const changed = name !== current;
    current = name;
    select();
    if (changed) shown(name);
  }

  function select() {
    names.forEach((name, place) => {
      buttons[place].setAttribute("aria-selected", String(name === current));
      buttons[place].tabIndex = name === current ? 0 : -1;
      panels[name].hidden = name !== current;
    });
  }

  element.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const place = (names.indexOf(current) + by + names.length) % names.length;
    show(names[place]);
    buttons[place].focus();
  });
  select();
  return { element, show, current: () => current };
}

function tab(name, panel, press) {
  panel.id ||= fresh("panel");
  const button = el("button", {
    type: "button",
    role: "tab",
    id: fresh("tab"),
    textContent: name,
    onclick: press,
    "aria-controls": panel.id,
  });
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", button.id);
  return button;
}
