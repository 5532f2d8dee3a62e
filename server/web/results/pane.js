/** A window onto one picture: it can be zoomed about a point and moved, by wheel, drag, pinch or from outside. */

import { el } from "../dom.js";

const LEAST = 0.05;
const MOST = 32;
/** From so many screen pixels a pixel on, pixels are shown as squares. */
const SQUARES = 3;

export class Pane {
  /** @param {(scale: number) => void} zoomed told of each scale; 1 is a pixel of the picture for one of the screen */
  constructor(zoomed) {
    this.zoomed = zoomed;
    this.image = el("img", { className: "backdrop", draggable: false, alt: "", onload: () => this.fit() });
    this.element = el(
      "div",
      { className: "pane", tabIndex: 0, role: "group", "aria-label": "Picture, moved by the arrow keys" },
      this.image,
    );
    /** Fingers and pointers that are down, by their id. @type {Map<number, PointerEvent>} */
    this.down = new Map();
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.#listen();
  }

  /** @param {string} url @param {string} alt */
  show(url, alt) {
    Object.assign(this.image, { src: url, alt });
  }

  /** As large as goes in, but not larger than it is. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { naturalWidth, naturalHeight } = this.image;
    if (!naturalWidth || !width) return;
    this.#set(Math.min(width / naturalWidth, height / naturalHeight, 1), 0, 0);
  }

  /** One pixel of the picture for one of the screen. */
  real() {
    this.#set(1 / devicePixelRatio, this.x, this.y);
  }

  /** Larger or smaller, about a point measured from the middle. */
  by(factor, x = 0, y = 0) {
    const scale = Math.min(MOST, Math.max(LEAST, this.scale * factor));
    const share = scale / this.scale;
    this.#set(scale, x - (x - this.x) * share, y - (y - this.y) * share);
  }

  move(x, y) {
    this.#set(this.scale, this.x + x, this.y + y);
  }

  #set(scale, x, y) {
    Object.assign(this, { scale, x, y });
    this.image.style.transform = `translate(-50%, -50%) translate(${x}px, ${y}px) scale(${scale})`;
    const shown = scale * devicePixelRatio;
    this.image.style.imageRendering = shown >= SQUARES ? "pixelated" : "";
    this.zoomed(shown);
  }

  #listen() {
    this.element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.by(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), ...this.#point(event));
      },
      { passive: false },
    );
    this.element.addEventListener("dblclick", () =>
      Math.abs(this.scale * devicePixelRatio - 1) < 0.01 ? this.fit() : this.real(),
    );
    this.element.addEventListener("pointerdown", (event) => {
      this.element.setPointerCapture(event.pointerId);
      this.down.set(event.pointerId, event);
    });
    this.element.addEventListener("pointermove", (event) => this.#follow(event));
    for (const type of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(type, (event) => this.down.delete(event.pointerId));
    }
  }

  /** One pointer moves the picture; a second one zooms it too. */
  #follow(event) {
    const last = this.down.get(event.pointerId);
    if (!last) return;
    const [other] = [...this.down.values()].filter((each) => each.pointerId !== event.pointerId);
    if (other) {
      const [x, y] = this.#point(other);
      this.by(distance(event, other) / Math.max(1, distance(last, other)), x, y);
    } else {
      this.move(event.clientX - last.clientX, event.clientY - last.clientY);
    }
    this.down.set(event.pointerId, event);
  }

  /** Where an event is, from the middle of the pane. */
  #point({ clientX, clientY }) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  }
}

function distance(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}
