/** One task on the page: how it stands, its result, where its time went, its JSON, and what can be done with it. */

import { duration, el, say, tag } from "../dom.js";
import { failureList } from "./failures.js";
import { finalLine, waterfall } from "./receipt.js";
import { pretty } from "../wire/shorten.js";

const STATES = {
  unsent: ["Not sent yet", "warn"],
  sent: ["Sent", "busy"],
  waiting: ["Waits for others", "busy"],
  queued: ["Queued", "busy"],
  running: ["Running", "busy"],
  done: ["Done", "good"],
  checked: ["Valid", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "warn"],
};

/** Property `entry`, and `usual`, the milliseconds that such tasks usually take. Dispatches, bubbling, "cancel-task",
 * "rerun-task", "edit-task", "copy-task" and "task-frames", each with {uuid}. */
export class TaskCard extends HTMLElement {
  /** @type {import("../wire/entry.js").TaskEntry} */ entry;
  /** @type {number|null} */ usual = null;

  connectedCallback() {
    if (this.firstChild) return;
    this.#build();
    this.update();
  }

  #build() {
    const { uuid, taskType, name } = this.entry;
    const title = el("h3", { id: `task-${uuid}`, textContent: taskType });
    this.chip = el("span", { className: "chip state" });
    this.file = el("span", { className: "file soft", textContent: name, title: name });
    this.bar = el("progress", { max: 100, hidden: true, "aria-label": `Progress of ${taskType}` });
    this.standing = el("p", { className: "standing soft" });
    this.body = el("div", { className: "body" });
    this.actions = el("div", { className: "row actions" });
    this.append(
      el(
        "article",
        { className: "card task", "aria-labelledby": title.id },
        el(
          "header",
          {},
          el("div", { className: "grow" }, el("div", { className: "row" }, title, tag(uuid)), this.file),
          this.chip,
        ),
        this.bar,
        this.standing,
        this.body,
        this.actions,
      ),
    );
  }

  /** Show the entry as it is now. */
  update() {
    const { entry } = this;
    const [word, colour] = STATES[entry.state];
    say(
      this.chip,
      entry.cancelling ? "Cancelling" : entry.cached && entry.state === "done" ? "Done, from cache" : word,
    );
    this.chip.className = `chip state ${colour}`;
    this.dataset.state = entry.state;
    this.bar.hidden = entry.ended || entry.progress === null;
    this.bar.value = entry.progress ?? 0;
    this.tick();
    if (this.ended !== entry.ended) this.#fill();
    this.ended = entry.ended;
    if (!entry.ended) this.actions.firstChild.disabled = entry.cancelling;
  }

  /** What changes with the time alone. */
  tick() {
    say(this.standing, this.entry.ended ? "" : standing(this.entry, this.usual));
    this.standing.hidden = this.entry.ended;
  }

  #fill() {
    const { entry } = this;
    this.actions.replaceChildren(...(entry.ended ? this.#after() : [this.#button("Cancel", "cancel-task")]));
    if (!entry.ended) return;
    this.body.replaceChildren(...[this.#outcome(), this.#times(), this.#json()].filter(Boolean));
  }

  #outcome() {
    const { items, before, name, taskType, failures, state } = this.entry;
    if (failures.length) return failureList(failures);
    if (state === "checked") return el("p", { textContent: valid(items[0]) });
    if (!items.length)
      return el("p", { className: "soft", textContent: "It has ended well; its result is for other tasks." });
    return el("result-view", { result: { items, before, name, taskType } });
  }

  #times() {
    const { receipt, elapsed } = this.entry;
    const total = el("strong", { textContent: duration(elapsed) });
    if (!receipt) return el("p", { className: "total soft" }, total, " in all");
    const line = el("summary", {}, total, " in all: ", finalLine(receipt, elapsed));
    return el("details", { className: "total" }, line, waterfall(receipt, elapsed));
  }

  #json() {
    const { object, items, failures, uuid } = this.entry;
    const shown = el("div", { className: "texts" });
    const details = el("details", { className: "json" }, el("summary", { textContent: "JSON" }), shown);
    details.addEventListener("toggle", () => {
      if (!details.open) return shown.replaceChildren();
      const answer = items.length ? { data: items } : { errors: failures };
      shown.replaceChildren(
        text("Sent", [object]),
        text("Answer", answer),
        el("p", { className: "mono soft", textContent: uuid }),
      );
    });
    return details;
  }

  #after() {
    const again = [this.#button("Run again", "rerun-task"), this.#button("Edit", "edit-task")];
    for (const button of this.entry.whole ? [] : again) {
      button.disabled = true;
      button.title = "What was sent is no longer kept by this page as a whole.";
    }
    return [...again, this.#button("Copy as…", "copy-task"), this.#button("Frames", "task-frames")];
  }

  #button(label, type) {
    const { uuid, taskType } = this.entry;
    const tell = () => this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail: { uuid } }));
    return el("button", {
      type: "button",
      className: "small quiet",
      textContent: label,
      "aria-label": `${label}: ${taskType}`,
      onclick: tell,
    });
  }
}

function standing({ state, stage, progress, queuePosition, elapsed, cancelling }, usual) {
  const clock = usual === null ? duration(elapsed) : `${duration(elapsed)}, usually ${duration(usual)}`;
  const place =
    queuePosition === null ? "" : queuePosition === 0 ? "next in the queue" : `${queuePosition} before it in the queue`;
  const parts = [
    progress === null ? "" : `${Math.round(progress)} %`,
    stage,
    place,
    state === "unsent" ? "goes out with the next connection" : clock,
  ];
  return (cancelling ? ["asked to stop", ...parts] : parts).filter(Boolean).join(" · ");
}

function valid({ estimatedSeconds }) {
  const so = "The server would take this task.";
  return estimatedSeconds ? `${so} Such tasks usually take ${duration(estimatedSeconds * 1000)}.` : so;
}

function text(title, value) {
  return el("div", {}, el("h4", { textContent: title }), el("pre", { tabIndex: 0, textContent: pretty(value) }));
}

customElements.define("task-card", TaskCard);
