/** Fields made of fields: an object's members, a list that grows and shrinks. */

import { el } from "../dom.js";
import { Field } from "./field.js";
import { itemOf, membersOf, variantsOf, words } from "./shape.js";
import { fault } from "./validity.js";

/** @typedef {(given: object) => Field} Make builds the field of a shape */

/** @param {Field[]} fields */
export function fieldsIn(fields) {
  return el("div", { className: "fields" }, ...fields.map((field) => field.element));
}

/** The fields of an object's members, by name. `fixed` are members that are always the same. */
export class Members {
  /** @param {{name: string, required: boolean, shape: object}[]} members @param {Make} make */
  constructor(members, make, fixed = {}) {
    this.fixed = fixed;
    this.fields = new Map(members.map((member) => [member.name, make(member)]));
  }

  /** The fields one after the other; short ones share a line. */
  get element() {
    return fieldsIn([...this.fields.values()]);
  }

  read() {
    const entered = [...this.fields].map(([name, field]) => [name, field.read()]);
    return { ...this.fixed, ...Object.fromEntries(entered.filter(([, value]) => value !== undefined)) };
  }

  write(value = {}) {
    for (const [name, field] of this.fields) field.write(value[name]);
  }

  at([name, ...rest]) {
    return this.fields.get(name)?.at(rest);
  }

  firstWrong() {
    return [...this.fields.values()].map((field) => field.firstWrong()).find(Boolean) ?? null;
  }
}

/** An object: folded, where it may be left out. */
export class ObjectField extends Field {
  constructor(given, make) {
    super(given);
    this.members = new Members(membersOf(this.shape), make);
    const title = el("summary", {}, this.head(el("span", { className: "label" }, this.label, this.mark())));
    this.element = el(
      "details",
      { className: "field nested", open: this.required },
      title,
      this.help,
      this.members.element,
      this.wrong,
    );
    this.tie(title);
  }

  read() {
    const value = this.members.read();
    return Object.keys(value).length || this.required ? value : undefined;
  }

  write(value) {
    this.members.write(value);
    this.show("");
  }

  at(place) {
    return place.length ? (this.members.at(place) ?? this) : this;
  }
  firstWrong() {
    return this.read() === undefined ? null : this.members.firstWrong();
  }
}

/** A list of fields, each of which can be taken out, and moved where order may matter. */
export class ListField extends Field {
  constructor(given, make) {
    super(given);
    this.make = make;
    this.item = itemOf(this.shape);
    this.variants = this.item.kind === "choice" ? variantsOf(this.item) : null;
    /** The member by which the kinds of object are told apart. */
    this.told = this.item.schema.discriminator?.propertyName;
    this.rows = el("ol", { className: "rows" });
    this.parts = [];
    this.tie(el("button", { type: "button", className: "small", onclick: () => this.added() }, "Add"));
    this.control.setAttribute("aria-label", `Add to ${this.label}`);
    this.element = this.grouped(this.rows, this.adding());
  }

  adding() {
    if (!this.variants) return el("div", { className: "row" }, this.control);
    this.kind = el(
      "select",
      { "aria-label": `What to add to ${this.label}` },
      ...[...this.variants.keys()].map((word) => el("option", { value: word, textContent: words(word) })),
    );
    return el("div", { className: "row" }, el("div", { className: "grow" }, this.kind), this.control);
  }

  added() {
    const part = this.append(this.kind?.value);
    this.show("");
    part.element.querySelector("input, select, textarea, button")?.focus();
    this.changed();
  }

  append(word) {
    const part = this.part(word);
    const press = (text, label, action) =>
      el("button", {
        type: "button",
        className: "small quiet",
        textContent: text,
        onclick: () => {
          action();
          this.changed();
        },
        "aria-label": `${label}: ${part.label}`,
      });
    part.row = el(
      "li",
      {},
      el(
        "div",
        { className: "row-head" },
        el("span", { className: "label grow", textContent: part.label }),
        press("↑", "Move up", () => this.move(part, -1)),
        press("↓", "Move down", () => this.move(part, 1)),
        press("✕", "Remove", () => this.remove(part)),
      ),
      part.element,
    );
    this.parts.push(part);
    this.rows.append(part.row);
    return part;
  }

  /** One item, as its `field` and what is shown: an object's members, of the kind that a word names, or one value. */
  part(word) {
    const shape = this.variants ? this.variants.get(word) : this.item;
    const label = words(word ?? this.name.replace(/s$/, ""));
    if (shape.kind !== "object") {
      const field = this.make({ name: this.name, label, shape, required: true });
      return { field, label, element: field.element };
    }
    const field = new Members(membersOf(shape), this.make, word ? { [this.told]: word } : {});
    const about = shape.description && el("p", { className: "help", textContent: shape.description });
    return { field, label, element: el("div", {}, about, field.element) };
  }

  move(part, by) {
    const from = this.parts.indexOf(part);
    const to = Math.max(0, Math.min(this.parts.length - 1, from + by));
    this.parts.splice(to, 0, ...this.parts.splice(from, 1));
    this.rows.replaceChildren(...this.parts.map((each) => each.row));
  }

  remove(part) {
    this.parts = this.parts.filter((each) => each !== part);
    part.row.remove();
    this.control.focus();
  }

  /** What was done with buttons is a change of the form too. */
  changed() {
    this.element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  read() {
    const value = this.parts.map((part) => part.field.read()).filter((each) => each !== undefined);
    return value.length ? value : undefined;
  }

  write(value) {
    this.parts = [];
    this.rows.replaceChildren();
    for (const each of value ?? []) this.append(each?.[this.told]).field.write(each);
    this.show("");
  }

  fault() {
    return fault(this.shape, this.read(), this.required);
  }

  at([index, ...rest]) {
    return this.parts[index]?.field.at(rest) ?? this;
  }

  firstWrong() {
    const inner = this.parts.map((part) => part.field.firstWrong()).find(Boolean);
    return (this.check() ? null : this) ?? inner ?? null;
  }
}
