/** Fields of one control: words, numbers, one of several, yes or no, and JSON for what no other field is made for. */

import { el } from "../dom.js";
import { Field } from "./field.js";
import { fault } from "./validity.js";

const LONG = 300;

/** A field of one text-like control: `parse` makes a value of what is entered, undefined of nothing. */
class Entry extends Field {
  constructor(given, control) {
    super(given);
    const { initial } = this.shape;
    if (initial !== undefined && initial !== null && initial !== "") control.placeholder = String(initial);
    control.autocomplete = "off";
    this.framed(control);
  }

  read() {
    const entered = this.control.value.trim();
    return entered === "" ? undefined : this.parse(entered);
  }

  /** @param {unknown} value undefined for nothing */
  write(value) {
    this.control.value = value === undefined || value === null ? "" : this.format(value);
    this.show("");
  }

  parse(entered) {
    return entered;
  }
  format(value) {
    return String(value);
  }
  fault() {
    return fault(this.shape, this.read(), this.required);
  }
}

/** Words; more of them where the schema takes many. */
export class TextField extends Entry {
  constructor(given) {
    const { maxLength = 0 } = given.shape.schema;
    super(given, maxLength >= LONG ? el("textarea", { rows: 3, className: "prose" }) : el("input", { type: "text" }));
  }
}

export class NumberField extends Entry {
  constructor(given) {
    const { minimum, maximum, multipleOf } = given.shape.schema;
    const step = multipleOf ?? (given.shape.kind === "integer" ? 1 : "any");
    super(given, el("input", { type: "number", step, min: minimum ?? "", max: maximum ?? "" }));
    this.element.classList.add("short");
  }

  parse(entered) {
    return Number(entered);
  }
  fault() {
    return this.control.validity.badInput ? "A number is needed." : super.fault();
  }
}

/** A value that may be words or something else: what begins like JSON is read as JSON. */
export class LooseField extends Entry {
  constructor(given) {
    super(given, el("input", { type: "text" }));
  }

  parse(entered) {
    if (!/^[[{]/.test(entered)) return entered;
    try {
      return JSON.parse(entered);
    } catch {
      return entered;
    }
  }

  format(value) {
    return typeof value === "string" ? value : JSON.stringify(value);
  }
}

/** What no other field is made for, as JSON. */
export class JsonField extends Entry {
  constructor(given) {
    super(given, el("textarea", { rows: 3, spellcheck: false }));
  }

  read() {
    try {
      return super.read();
    } catch {
      return undefined;
    }
  }

  parse(entered) {
    return JSON.parse(entered);
  }
  format(value) {
    return JSON.stringify(value, null, 2);
  }

  fault() {
    try {
      JSON.parse(this.control.value || "null");
    } catch {
      return "This is not JSON.";
    }
    return super.fault();
  }
}

/** One of several. What the server takes by itself is chosen first, and not sent. */
export class EnumField extends Field {
  constructor(given) {
    super(given);
    this.values = this.shape.schema.enum;
    const empty = this.values.includes(this.shape.initial)
      ? []
      : [el("option", { value: "", textContent: this.none() })];
    this.framed(el("select", {}, ...empty, ...this.values.map((value, place) => this.option(value, place))));
    this.write(undefined);
  }

  none() {
    return this.required ? "Choose…" : "–";
  }

  option(value, place) {
    const usual = value === this.shape.initial ? " (default)" : "";
    return el("option", { value: String(place), textContent: `${value}${usual}` });
  }

  read() {
    const value = this.values[this.control.value === "" ? -1 : Number(this.control.value)];
    return value === this.shape.initial && !this.required ? undefined : value;
  }

  write(value) {
    const place = this.values.indexOf(value ?? this.shape.initial);
    this.control.value = place < 0 ? "" : String(place);
    this.show("");
  }

  fault() {
    return fault(this.shape, this.read(), this.required);
  }
}

/** Yes or no. Sent where it is not what the server takes by itself. */
export class TickField extends Field {
  constructor(given) {
    super(given);
    const box = el("input", { type: "checkbox" });
    this.tie(box);
    const title = el("label", { htmlFor: box.id }, box, this.label);
    this.element = el("div", { className: "field tick" }, this.head(title), this.help, this.wrong);
    this.write(undefined);
  }

  read() {
    const value = this.control.checked;
    return value === (this.shape.initial ?? false) && !this.required ? undefined : value;
  }

  write(value) {
    this.control.checked = value ?? this.shape.initial ?? false;
    this.show("");
  }
}
