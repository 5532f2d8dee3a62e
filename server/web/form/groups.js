/** Fields of several controls for one value: words to tick, numbers side by side. */

import { el } from "../dom.js";
import { Field, fresh } from "./field.js";
import { itemOf } from "./shape.js";
import { fault } from "./validity.js";

/** Any of several words, as boxes. */
export class BoxesField extends Field {
  constructor(given) {
    super(given);
    this.words = itemOf(this.shape).schema.enum;
    this.boxes = this.words.map((word) => el("input", { type: "checkbox", value: word, id: fresh("box") }));
    this.element = this.grouped(
      el("div", { className: "boxes" }, ...this.boxes.map((box) => el("label", { htmlFor: box.id }, box, box.value))),
    );
    this.tie(this.element);
    this.write(undefined);
  }

  read() {
    const value = this.boxes.filter((box) => box.checked).map((box) => box.value);
    const usual = this.shape.initial ?? [];
    const same = value.length === usual.length && value.every((word) => usual.includes(word));
    return same && !this.required ? undefined : value;
  }

  write(value) {
    for (const box of this.boxes) box.checked = (value ?? this.shape.initial ?? []).includes(box.value);
    this.show("");
  }

  fault() {
    return fault(this.shape, this.read(), this.required);
  }
}

/** A fixed number of numbers side by side: all of them or none. Three or four from 0 to 255 are a colour. */
export class RowField extends Field {
  constructor(given) {
    super(given);
    const { minItems } = this.shape.schema;
    const { minimum, maximum } = itemOf(this.shape).schema;
    const cell = (_, place) => el("input", { type: "number", step: "any", "aria-label": `${this.label} ${place + 1}` });
    this.cells = Array.from({ length: minItems }, cell);
    const colour = minimum === 0 && maximum === 255 && (minItems === 3 || minItems === 4);
    this.element = this.grouped(el("div", { className: "cells" }, colour && this.picker(), ...this.cells));
    this.tie(this.element);
  }

  picker() {
    const channels = (text) => [1, 3, 5].map((from) => parseInt(text.slice(from, from + 2), 16));
    this.colour = el("input", {
      type: "color",
      value: "#ffffff",
      "aria-label": `${this.label}: choose a colour`,
      oninput: () => this.write([...channels(this.colour.value), 255].slice(0, this.cells.length)),
    });
    return this.colour;
  }

  read() {
    const entered = this.cells.map((cell) => cell.value.trim());
    return entered.every((text) => text === "") ? undefined : entered.filter((text) => text !== "").map(Number);
  }

  write(value) {
    this.cells.forEach((cell, place) => {
      cell.value = value?.[place] ?? "";
    });
    if (this.colour && value)
      this.colour.value = `#${value
        .slice(0, 3)
        .map((level) => level.toString(16).padStart(2, "0"))
        .join("")}`;
    this.show("");
  }

  fault() {
    const value = this.read();
    if (value && value.length < this.cells.length) return `All ${this.cells.length} are needed, or none.`;
    return fault(this.shape, value, this.required);
  }
}
