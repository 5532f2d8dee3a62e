/** What shows through transparent pictures, chosen once for the whole page: checkerboard, white, black or a colour. */

import { el } from "../dom.js";
import { fresh } from "../form/field.js";

const KINDS = [
  ["checked", "Checkerboard"],
  ["white", "White"],
  ["black", "Black"],
  ["colour", "A colour"],
];
const CHANGED = new EventTarget();
const chosen = { kind: "checked", colour: "#f59e0b" };

/** <backdrop-chooser>: a row of swatches. */
export class BackdropChooser extends HTMLElement {
  #follow = () => this.#show();

  connectedCallback() {
    if (!this.firstChild) this.#build();
    CHANGED.addEventListener("change", this.#follow);
    this.#show();
  }

  disconnectedCallback() {
    CHANGED.removeEventListener("change", this.#follow);
  }

  #build() {
    const group = fresh("backdrop");
    this.className = "backdrops";
    this.setAttribute("role", "radiogroup");
    this.setAttribute("aria-label", "Behind transparent parts");
    this.colour = el("input", {
      type: "color",
      "aria-label": "Colour behind transparent parts",
      oninput: () => choose("colour", this.colour.value),
    });
    this.swatches = KINDS.map(([kind, label]) => swatch(group, kind, label));
    this.append(...this.swatches.map(({ label }) => label), this.colour);
  }

  #show() {
    for (const { radio } of this.swatches) radio.checked = radio.value === chosen.kind;
    this.colour.hidden = chosen.kind !== "colour";
    this.colour.value = chosen.colour;
  }
}

function swatch(group, kind, label) {
  const radio = el("input", {
    type: "radio",
    name: group,
    value: kind,
    onchange: () => choose(kind),
    "aria-label": label,
  });
  return { radio, label: el("label", { className: `swatch ${kind}`, title: label }, radio) };
}

function choose(kind, colour = chosen.colour) {
  Object.assign(chosen, { kind, colour });
  document.documentElement.dataset.backdrop = kind;
  document.documentElement.style.setProperty("--backdrop-colour", colour);
  CHANGED.dispatchEvent(new Event("change"));
}

customElements.define("backdrop-chooser", BackdropChooser);
