/** A picture as large as the window: zoomed and moved with wheel, fingers or keys, its transparency alone, and beside
 * it what it was made of. */

import "./backdrop.js";
import { el, say } from "../dom.js";
import { Pane } from "./pane.js";

/** How opaque each point is, in grey. */
const ALPHA = "0 0 0 1 0  0 0 0 1 0  0 0 0 1 0  0 0 0 0 1";

/** @param {{url: string, file: string}[]} pictures @param {number} first which of them is shown
 * @param {string|null} before what they were made of */
export function openViewer(pictures, first, before) {
  new Viewer(pictures, first, before).open();
}

class Viewer {
  constructor(pictures, first, before) {
    Object.assign(this, { pictures, place: first, before });
    this.zoom = el("output", { className: "zoom", "aria-label": "Zoom" });
    this.pane = new Pane((scale) => say(this.zoom, `${Math.round(scale * 100)} %`));
    this.title = el("h2", { className: "grow" });
    this.alpha = el("button", {
      type: "button",
      textContent: "Alpha",
      "aria-pressed": "false",
      title: "Transparency alone (A)",
      onclick: () => this.toggleAlpha(),
    });
    this.was = el("button", {
      type: "button",
      textContent: "Before",
      "aria-pressed": "false",
      title: "What it was made of (B)",
      hidden: !before,
      onclick: () => this.toggleBefore(),
    });
    this.dialog = el(
      "dialog",
      {
        className: "viewer",
        "aria-label": "Picture in full size",
        onkeydown: (event) => this.key(event),
        onclose: () => this.dialog.remove(),
      },
      this.bar(),
      this.pane.element,
      alphaFilter(),
    );
  }

  bar() {
    const button = (textContent, label, action) =>
      el("button", { type: "button", textContent, title: label, "aria-label": label, onclick: action });
    const many = this.pictures.length > 1;
    const close = Object.assign(
      button("✕", "Close (Esc)", () => this.dialog.close()),
      { className: "close" },
    );
    return el(
      "div",
      { className: "viewer-bar row" },
      this.title,
      many && button("‹", "Previous picture", () => this.step(-1)),
      many && button("›", "Next picture", () => this.step(1)),
      el("backdrop-chooser"),
      this.alpha,
      this.was,
      el(
        "span",
        { className: "row nowrap" },
        button("−", "Zoom out (−)", () => this.pane.by(1 / 1.5)),
        this.zoom,
        button("+", "Zoom in (+)", () => this.pane.by(1.5)),
      ),
      button("Fit", "Fit into the window (0)", () => this.pane.fit()),
      button("1:1", "1:1, a pixel of the picture for one of the screen (1)", () => this.pane.real()),
      close,
    );
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.pane.element.focus();
    this.show();
  }

  show() {
    const { url, file } = this.pictures[this.place];
    const was = this.was.getAttribute("aria-pressed") === "true";
    say(this.title, was ? `Before: ${file}` : file);
    this.pane.show(was ? this.before : url, this.title.textContent);
  }

  step(by) {
    this.place = (this.place + by + this.pictures.length) % this.pictures.length;
    this.show();
  }

  toggleAlpha() {
    const on = pressed(this.alpha);
    this.pane.element.classList.toggle("alpha", on);
  }

  toggleBefore() {
    pressed(this.was);
    this.show();
  }

  key(event) {
    const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    const actions = {
      "+": () => this.pane.by(1.5),
      "=": () => this.pane.by(1.5),
      "-": () => this.pane.by(1 / 1.5),
      0: () => this.pane.fit(),
      1: () => this.pane.real(),
      a: () => this.toggleAlpha(),
      b: () => this.before && this.toggleBefore(),
    };
    const act = arrows[event.key] ? () => this.pane.move(...arrows[event.key]) : actions[event.key.toLowerCase()];
    const taken =
      event.ctrlKey || event.metaKey || event.altKey || (arrows[event.key] && event.target.matches("input"));
    if (!act || taken) return;
    event.preventDefault();
    act();
  }
}

/** The filter by which style sheets show the transparency alone. */
function alphaFilter() {
  const make = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  return make(
    "svg",
    { width: 0, height: 0, "aria-hidden": true, class: "filters" },
    make(
      "filter",
      { id: "alpha-alone", "color-interpolation-filters": "sRGB" },
      make("feColorMatrix", { values: ALPHA }),
    ),
  );
}

/** Press a button that stays pressed; whether it is now. */
function pressed(button) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  return on;
}
