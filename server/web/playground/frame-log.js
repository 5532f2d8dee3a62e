/** <frame-log>: every frame in and out, newest at the end, to be filtered, opened, stopped and taken away. Rows are
 * drawn in batches, and only while the log is open: the page stays quick whatever passes. */

import { el, say, size, tag } from "../dom.js";

const DRAW_MS = 120;
const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

export class FrameLog extends HTMLElement {
  /** @type {import("../wire/frames.js").Frames} */ frames;
  #rows = new Map();
  #timer = 0;
  #words = "";

  connectedCallback() {
    this.frames.changed = () => {
      this.#timer ||= setTimeout(() => this.#draw(), DRAW_MS);
    };
    this.count = el("span", { className: "soft count" });
    this.list = el("ol", { className: "frames", tabIndex: 0, "aria-label": "Frames, oldest first" });
    this.empty = el("p", { className: "soft none", textContent: "No frame fits." });
    this.details = el(
      "details",
      { id: "frame-log" },
      el("summary", {}, el("h2", { textContent: "Frames" }), this.count),
      this.#tools(),
      this.list,
      this.empty,
    );
    this.details.addEventListener("toggle", () => this.#draw());
    this.append(this.details);
    this.#draw();
  }

  /** Open it and show only what has these words in it. @param {string} words */
  show(words) {
    this.details.open = true;
    this.filter.value = words;
    this.#narrow(words);
    this.filter.focus();
  }

  #tools() {
    this.filter = el("input", {
      type: "search",
      id: "frame-filter",
      placeholder: "Filter: words, a taskUUID…",
      "aria-label": "Filter the frames",
      oninput: () => this.#narrow(this.filter.value),
    });
    this.pings = el("input", { type: "checkbox", id: "frame-pings", onchange: () => this.#narrow(this.filter.value) });
    this.pause = el("button", {
      type: "button",
      className: "small",
      textContent: "Pause",
      "aria-pressed": "false",
      onclick: () => this.#toggle(),
    });
    const clear = () => this.frames.clear();
    return el(
      "div",
      { className: "row tools" },
      this.filter,
      el("label", { className: "row" }, this.pings, "pings"),
      this.pause,
      el("button", { type: "button", className: "small", textContent: "Clear", onclick: clear }),
      el("button", {
        type: "button",
        className: "small",
        textContent: "Download",
        title: "As NDJSON, one frame a line",
        onclick: () => this.#save(),
      }),
    );
  }

  #narrow(words) {
    this.#words = words.trim().toLowerCase();
    this.list.replaceChildren();
    this.#rows.clear();
    this.#draw();
  }

  #toggle() {
    this.frames.paused = !this.frames.paused;
    this.pause.setAttribute("aria-pressed", String(this.frames.paused));
    this.pause.textContent = this.frames.paused ? "Go on" : "Pause";
    this.#draw();
  }

  #save() {
    const link = el("a", { href: URL.createObjectURL(this.frames.ndjson()), download: "frames.ndjson" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  #fits(frame) {
    if (frame.quiet && !this.pings.checked) return false;
    return !this.#words || `${frame.label} ${frame.text}`.toLowerCase().includes(this.#words);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { kept, count, paused } = this.frames;
    say(this.count, `${count} passed${paused ? ", stopped" : ""}`);
    if (!this.details.open) return;
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    const oldest = kept[0]?.number ?? Infinity;
    for (const [number, row] of this.#rows) {
      if (number >= oldest) break;
      row?.remove();
      this.#rows.delete(number);
    }
    const fresh = kept.filter(({ number }) => !this.#rows.has(number));
    for (const frame of fresh) this.#rows.set(frame.number, this.#fits(frame) ? row(frame) : null);
    this.list.append(...fresh.map(({ number }) => this.#rows.get(number)).filter(Boolean));
    this.empty.hidden = this.list.childElementCount > 0;
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}

/** @param {import("../wire/frames.js").Frame} frame */
function row(frame) {
  const { at, direction, kind, label, uuids } = frame;
  const way = el("span", {
    className: `way ${direction}`,
    textContent: direction === "in" ? "↓" : "↑",
    title: direction,
  });
  way.append(el("span", { className: "only-heard", textContent: ` ${direction} ` }));
  const summary = el(
    "summary",
    {},
    el("time", { className: "soft", textContent: CLOCK.format(at) }),
    way,
    el("span", { className: `kind ${kind}`, textContent: kind }),
    el("span", { className: "label", textContent: label }),
    el("span", { className: "tags" }, ...uuids.slice(0, 3).map(tag)),
    el("span", { className: "soft bytes", textContent: size(frame.size) }),
  );
  const details = el("details", {}, summary);
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) {
      details.append(el("pre", { tabIndex: 0, textContent: JSON.stringify(JSON.parse(frame.text), null, 2) }));
    }
  });
  return el("li", {}, details);
}

customElements.define("frame-log", FrameLog);
