/** Lists that change every second without losing the focus, a selection or the place on the page: a row is made once,
 * and then only told what is new. */

import { el } from "../dom.js";

/** @typedef {{element: HTMLElement, show: (item: any, state: any) => void}} Row */

export class Rows {
  /** @param {Element} list where the rows are @param {(item: any) => string} known by what a row is known
   * @param {(item: any) => Row} make */
  constructor(list, known, make) {
    this.list = list;
    this.known = known;
    this.make = make;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.empty = document.getElementById(`${list.closest("[id]").id}-empty`);
  }

  /** Have exactly these rows, in this order. */
  show(items, state) {
    const left = new Map(this.rows);
    let place = this.list.firstElementChild;
    for (const item of items) {
      const name = this.known(item);
      const row = this.rows.get(name) ?? this.#added(name, item);
      left.delete(name);
      row.show(item, state);
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
    }
    for (const [name, row] of left) {
      row.element.remove();
      this.rows.delete(name);
    }
    if (this.empty) this.empty.hidden = items.length > 0;
  }

  #added(name, item) {
    const row = this.make(item);
    this.rows.set(name, row);
    return row;
  }
}

/** A table's head and its body. A column is its title, or [title, class].
 * @param {Element} table @param {(string|[string, string])[]} columns @returns {HTMLElement} the body */
export function tableBody(table, columns) {
  const head = el("tr");
  for (const column of columns) {
    const [title, name] = Array.isArray(column) ? column : [column, ""];
    head.append(el("th", { scope: "col", className: name, textContent: title }));
  }
  const body = el("tbody");
  table.append(el("thead", {}, head), body);
  return body;
}

/** A bar of a part of the whole, for the eye only: the number stands beside it. */
export function bar() {
  const fill = el("span");
  const element = el("span", { className: "bar", "aria-hidden": "true" }, fill);
  return { element, show: (part) => { fill.style.inlineSize = `${Math.round(Math.min(1, part) * 100)}%`; } };
}
