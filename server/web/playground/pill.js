/** <connection-pill>: how the connection stands, and what can be done about it. */

import { duration, el, say } from "../dom.js";

const TICK_MS = 500;

export class ConnectionPill extends HTMLElement {
  /** @type {import("../wire/connection.js").TaskSocket} */ socket;

  connectedCallback() {
    this.dot = el("span", { className: "dot", "aria-hidden": "true" });
    this.words = el("span", { id: "pill-words" });
    this.button = el(
      "button",
      {
        type: "button",
        id: "pill",
        className: "chip",
        "aria-expanded": "false",
        "aria-controls": "pill-menu",
        onclick: () => this.#open(this.menu.hidden),
      },
      this.dot,
      el("span", { className: "only-heard", textContent: "Connection: " }),
      this.words,
    );
    this.menu = el("div", { id: "pill-menu", className: "card", hidden: true });
    this.append(this.button, this.menu);
    this.socket.addEventListener("state", () => this.#draw());
    setInterval(() => this.socket.state === "waiting" && this.#draw(), TICK_MS);
    document.addEventListener("click", (event) => this.contains(event.target) || this.#open(false));
    this.addEventListener("keydown", (event) => event.key === "Escape" && this.#leave());
    this.#draw();
  }

  #leave() {
    if (this.menu.hidden) return;
    this.#open(false);
    this.button.focus();
  }

  #open(wanted) {
    this.menu.hidden = !wanted;
    this.button.setAttribute("aria-expanded", String(wanted));
    if (wanted) this.#fill();
  }

  #draw() {
    const [words, colour] = told(this.socket);
    say(this.words, words);
    this.button.className = `chip ${colour}`;
    this.dataset.state = this.socket.state;
    if (!this.menu.hidden && this.filled !== this.socket.state) this.#fill();
  }

  #fill() {
    const { socket } = this;
    const { state } = socket;
    this.filled = state;
    const away = state === "offline" || state === "refused";
    const choices = [
      state === "online" && this.#choice("Drop now", "cut it without a word, and see it come back", () => socket.cut()),
      state === "waiting" && this.#choice("Try now", "", () => socket.open()),
      state === "offline" && this.#choice("Connect", "", () => socket.open()),
      !away && this.#choice("Disconnect", "until you connect again", () => socket.close()),
      this.#choice("Another key…", "", () =>
        this.dispatchEvent(new CustomEvent("change-key", { bubbles: true, detail: {} })),
      ),
    ];
    const about = el("p", { className: "soft" }, socket.reason || new URL(socket.url).host);
    if (socket.session)
      about.append(
        el("br"),
        "session ",
        el("code", { textContent: socket.session.slice(0, 8), title: socket.session }),
      );
    this.menu.replaceChildren(about, ...choices.filter(Boolean));
  }

  #choice(label, help, act) {
    const done = () => {
      this.#leave();
      act();
    };
    return el(
      "button",
      { type: "button", className: "quiet choice", onclick: done },
      el("span", { textContent: label }),
      help && el("span", { className: "soft", textContent: help }),
    );
  }
}

/** Its words and its colour. */
function told({ state, roundTrip, retryAt, attempt }) {
  if (state === "online") return [roundTrip === null ? "Online" : `Online · ${duration(roundTrip)}`, "good"];
  if (state === "connecting") return [attempt ? `Connecting, attempt ${attempt}` : "Connecting…", "busy"];
  if (state === "refused") return ["Key refused", "bad"];
  if (state === "offline") return ["Offline", "bad"];
  const left = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const where = navigator.onLine ? "Reconnecting" : "No network, next try";
  return [`${where} in ${left} s (attempt ${attempt})`, "warn"];
}

customElements.define("connection-pill", ConnectionPill);
