/** Two pictures of one shape over each other, with a border between them that can be moved. */

import { el } from "../dom.js";

const KEYS = {
  ArrowLeft: -2,
  ArrowDown: -2,
  ArrowRight: 2,
  ArrowUp: 2,
  PageDown: -20,
  PageUp: 20,
  Home: -100,
  End: 100,
};

/** Property `pictures` {before, after, name}: the addresses of two pictures, and what they show. */
export class BeforeAfter extends HTMLElement {
  /** @type {{before: string, after: string, name: string}} */ pictures;
  #share = 50;

  connectedCallback() {
    if (this.firstChild) return;
    const { before, after, name } = this.pictures;
    this.handle = el(
      "div",
      {
        className: "handle",
        role: "slider",
        tabIndex: 0,
        "aria-label": `Before and after: ${name}`,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        onkeydown: (event) => this.#key(event),
      },
      el("span", { className: "grip", "aria-hidden": "true" }),
    );
    this.append(
      el("img", { className: "after backdrop", src: after, alt: `After: ${name}`, draggable: false }),
      el("img", { className: "before", src: before, alt: `Before: ${name}`, draggable: false }),
      el("span", { className: "side left", textContent: "before", "aria-hidden": "true" }),
      el("span", { className: "side right", textContent: "after", "aria-hidden": "true" }),
      this.handle,
    );
    this.#listen();
    this.share = this.#share;
  }

  /** How much of the picture before is shown, from its left edge, in percent. */
  get share() {
    return this.#share;
  }

  set share(percent) {
    this.#share = Math.min(100, Math.max(0, percent));
    const whole = Math.round(this.#share);
    this.style.setProperty("--share", `${this.#share}%`);
    this.handle.setAttribute("aria-valuenow", String(whole));
    this.handle.setAttribute("aria-valuetext", `${whole} % before`);
  }

  /** The border follows the pointer from where it is pressed, anywhere on the pictures. */
  #listen() {
    const follow = (event) => {
      const { left, width } = this.getBoundingClientRect();
      this.share = ((event.clientX - left) / width) * 100;
    };
    this.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.setPointerCapture(event.pointerId);
      this.handle.focus({ preventScroll: true });
      follow(event);
    });
    this.addEventListener("pointermove", (event) => {
      if (this.hasPointerCapture(event.pointerId)) follow(event);
    });
  }

  #key(event) {
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.share += by;
  }
}

customElements.define("before-after", BeforeAfter);
