/** The frame of a form's field: label, wire name, help, and what is wrong, tied together for assistive technology. */

import { el, say } from "../dom.js";
import { words } from "./shape.js";

let last = 0;

/** An id that no other element of the page has. */
export function fresh(word = "field") {
  last += 1;
  return `${word}-${last}`;
}

/** One control with what is said about it. A subclass sets `control`, the element that has the focus, and `element`. */
export class Field {
  /** @param {{name: string, label?: string, shape: import("./shape.js").Shape, required: boolean}} given */
  constructor({ name, label, shape, required }) {
    Object.assign(this, { name, shape, required, label: label ?? words(name), id: fresh() });
    this.help = el("p", { className: "help", id: `${this.id}-help`, textContent: shape.description });
    this.wrong = el("p", { className: "wrong", id: `${this.id}-wrong`, hidden: true });
  }

  /** The whole: a control under its label.
   * @param {HTMLElement} control what is labelled
   * @param {Node} [shown] what is shown in its place, where it has company */
  framed(control, shown = control) {
    this.tie(control);
    const title = el("label", { htmlFor: control.id }, this.label, this.mark());
    this.element = el("div", { className: "field" }, this.head(title), shown, this.help, this.wrong);
  }

  /** Give a control its id, and tell assistive technology what is said about it. */
  tie(control) {
    this.control = control;
    control.id = this.id;
    control.setAttribute("aria-describedby", `${this.help.id} ${this.wrong.id}`);
    if (this.required && control.matches("input, select, textarea")) control.setAttribute("aria-required", "true");
    control.addEventListener("change", () => this.check());
  }

  /** Several controls under one label, in place of a control.
   * @param {...Node} shown between the label and what is said about it
   * @returns {HTMLElement} */
  grouped(...shown) {
    const title = el("span", { className: "label", id: fresh("label") }, this.label, this.mark());
    return el(
      "div",
      { className: "field group", role: "group", "aria-labelledby": title.id },
      this.head(title),
      this.help,
      ...shown,
      this.wrong,
    );
  }

  head(title) {
    return el("div", { className: "field-head" }, title, el("span", { className: "wire", textContent: this.name }));
  }

  mark() {
    return this.required && el("span", { className: "needed", textContent: " *", "aria-hidden": "true" });
  }

  /** What is wrong with what is entered, as a sentence. Overridden by fields that know. */
  fault() {
    return "";
  }

  /** Say beside the field what is wrong with it. True when nothing is. */
  check() {
    return this.show(this.fault());
  }

  /** @param {string} sentence empty for nothing wrong */
  show(sentence) {
    say(this.wrong, sentence);
    this.wrong.hidden = !sentence;
    if (sentence) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
    return !sentence;
  }

  /** The field at a place within this one, or the nearest that there is. A place is names and numbers. */
  at() {
    return this;
  }

  /** The first field within that has something wrong, and every one says so. */
  firstWrong() {
    return this.check() ? null : this;
  }
}
