/** What shows through transparent pictures, chosen once for the whole page: checkerboard, white, black or a colour. */

import { el } from "./dom.js";
import { fresh } from "./field.js";

const KINDS = [
  ["checked", "Checkerboard"],
  ["white", "White"],
  ["black", "Black"],
  ["colour", "A colour"],
];
const CHANGED = new EventTarget();
const chosen = { kind: "checked", colour: "#f59e0b" };

/** A row of swatches. */
export function backdropChooser() {
  const group = fresh("backdrop");
  const colour = el("input", {
    type: "color",
    value: chosen.colour,
    "aria-label": "Colour behind transparent parts",
    oninput: () => choose("colour", colour.value),
  });
  const swatches = KINDS.map(([kind, label]) => swatch(group, kind, label));
  const element = el(
    "div",
    { className: "backdrops", role: "radiogroup", "aria-label": "Behind transparent parts" },
    ...swatches.map(({ label }) => label),
    colour,
  );
  let shown = false;
  const follow = () => {
    if (shown && !element.isConnected) return CHANGED.removeEventListener("change", follow);
    shown = element.isConnected;
    for (const { radio } of swatches) radio.checked = radio.value === chosen.kind;
    colour.hidden = chosen.kind !== "colour";
    colour.value = chosen.colour;
  };
  CHANGED.addEventListener("change", follow);
  follow();
  return element;
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
