/** The cards of the tasks: newest array first, those of one array in its order. */

import "./task-card.js";

const TICK_MS = 250;
/** Pixels of one row of the grid, and between two cards. */
const ROW = 4;
const GAP = 16;

export class Deck {
  #cards = new Map();
  #added = [];
  #heights = new ResizeObserver((seen) =>
    seen.forEach(({ target, contentRect }) => {
      target.style.gridRowEnd = `span ${Math.ceil((contentRect.height + GAP) / ROW)}`;
    }),
  );

  /** @param {HTMLElement} column @param {import("../wire/tasks.js").TaskList} tasks @param {() => void} changed after cards
   * came or went */
  constructor(column, tasks, changed) {
    Object.assign(this, { column, tasks, changed });
    tasks.addEventListener("added", ({ detail }) => this.#add(detail.uuid));
    tasks.addEventListener("change", ({ detail }) => this.#update(detail.uuid));
    tasks.addEventListener("removed", ({ detail }) => this.#remove(detail.uuid));
    setInterval(() => document.hidden || this.#tick(), TICK_MS);
    for (const array of Map.groupBy(tasks.entries.values(), (entry) => entry.group).values())
      this.#put(array.map(({ uuid }) => uuid));
  }

  /** Those of one array come one after the other, and are put where they belong together. */
  #add(uuid) {
    if (this.#added.push(uuid) === 1) queueMicrotask(() => this.#put(this.#added.splice(0)));
  }

  #put(uuids) {
    const cards = uuids.filter((uuid) => this.tasks.entries.has(uuid)).map((uuid) => this.#made(uuid));
    this.column.prepend(...cards);
    this.changed();
  }

  #made(uuid) {
    const entry = this.tasks.entries.get(uuid);
    const card = Object.assign(document.createElement("task-card"), {
      entry,
      usual: this.tasks.usual.of(entry.taskType),
    });
    card.hidden = aside(entry);
    this.#cards.set(uuid, card);
    this.#heights.observe(card);
    return card;
  }

  #update(uuid) {
    const card = this.#cards.get(uuid);
    if (!card) return;
    card.hidden = aside(card.entry);
    card.update();
  }

  #remove(uuid) {
    const card = this.#cards.get(uuid);
    if (!card) return;
    this.#heights.unobserve(card);
    card.remove();
    this.#cards.delete(uuid);
    this.changed();
  }

  #tick() {
    for (const card of this.#cards.values()) {
      if (card.entry.ended || card.hidden) continue;
      card.usual = this.tasks.usual.of(card.entry.taskType);
      card.tick();
    }
  }
}

/** A step to other tasks is only shown when it has gone wrong. */
function aside(entry) {
  return entry.aside && entry.state !== "failed";
}
