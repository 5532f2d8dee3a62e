/** A whole array of tasks as text: checked as JSON while it is typed, with samples, and pictures of the shelf by name.
 * "@NAME" stands for a picture; long values that were handed in stand under such a name too. */

import { el, say } from "../dom.js";
import { jsonFault } from "./json-fault.js";
import { ARRAYS } from "./presets.js";
import { newUUID } from "../uuid.js";

const LONG = 400;
const SAMPLE = "@sample";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class JsonTab {
  /** @param {object} shelf */
  constructor(shelf) {
    this.shelf = shelf;
    this.edited = false;
    /** Values too long to be shown, by the name that stands for them. @type {Map<string, string>} */
    this.held = new Map();
    this.text = el("textarea", {
      rows: 16,
      wrap: "off",
      spellcheck: false,
      autocomplete: "off",
      "aria-label": "Array of tasks as JSON",
      "aria-describedby": "json-told",
      oninput: () => {
        this.edited = true;
        this.check();
      },
    });
    this.told = el("p", { className: "told", id: "json-told", role: "status" });
    this.chips = el("div", { className: "row presets" });
    this.renew = el("input", { type: "checkbox", checked: true, id: "json-renew" });
    this.element = el(
      "div",
      { className: "json-tab" },
      this.samples(),
      this.text,
      this.told,
      this.chips,
      el("label", { htmlFor: this.renew.id, className: "row soft" }, this.renew, "Fresh taskUUIDs for each run"),
    );
    this.refresh();
  }

  samples() {
    const select = el(
      "select",
      {
        "aria-label": "Begin with a sample",
        onchange: () => {
          this.sample(select.value);
          select.value = "";
        },
      },
      el("option", { value: "", textContent: "Begin with a sample…" }),
      ...Object.keys(ARRAYS).map((name) => el("option", { value: name, textContent: name })),
    );
    return select;
  }

  /** Show a sample, about the first chosen picture. */
  sample(name) {
    const [picture] = [...this.shelf.chosen, ...this.shelf.pictures];
    this.fill(ARRAYS[name](picture ? `@${picture.name}` : SAMPLE));
    this.edited = true;
    if (!picture)
      this.say(
        "Add a picture above and write its name in place of @sample: its button puts it where the cursor is.",
        true,
      );
  }

  /** Offer the names of the pictures, to put in where the cursor is. */
  refresh() {
    const chip = ({ name }) =>
      el("button", {
        type: "button",
        className: "small chip-button",
        textContent: `@${name}`,
        title: "Put in where the cursor is",
        onclick: () => this.insert(JSON.stringify(`@${name}`)),
      });
    this.chips.replaceChildren(...this.shelf.pictures.map(chip));
    const [first] = this.shelf.chosen;
    if (first && this.text.value.includes(`"${SAMPLE}"`)) {
      this.text.value = this.text.value.replaceAll(`"${SAMPLE}"`, JSON.stringify(`@${first.name}`));
      this.check();
    }
  }

  insert(text) {
    const { selectionStart: from, selectionEnd: to, value } = this.text;
    const quoted = value[from - 1] === '"' && value[to] === '"';
    this.text.setRangeText(quoted ? text.slice(1, -1) : text, from, to, "end");
    this.text.focus();
    this.edited = true;
    this.check();
  }

  /** Put an array in. @param {object[]} objects */
  fill(objects) {
    this.text.value = JSON.stringify(objects, (_, value) => this.short(value), 2);
    this.check();
  }

  short(value) {
    if (typeof value !== "string" || value.length <= LONG) return value;
    const [known] = [...this.held].find(([, held]) => held === value) ?? [`@held-${this.held.size + 1}`];
    this.held.set(known, value);
    return known;
  }

  /** The objects, or null where the text is none; says which. */
  read() {
    const objects = this.check();
    return objects && structured(objects, (value) => this.held.get(value) ?? value);
  }

  check() {
    try {
      const objects = JSON.parse(this.text.value);
      const wrong = notTasks(objects);
      this.say(wrong || summary(objects), Boolean(wrong));
      return wrong ? null : objects;
    } catch {
      const { line, column, message } = jsonFault(this.text.value);
      this.say(`Line ${line}, column ${column}: ${message}`, true);
      return null;
    }
  }

  say(sentence, wrong) {
    say(this.told, sentence);
    this.told.classList.toggle("wrong", wrong);
    if (wrong) this.text.setAttribute("aria-invalid", "true");
    else this.text.removeAttribute("aria-invalid");
  }

  /** Give tasks that were sent before a new taskUUID, wherever it stands. @param {Set<string>} sent */
  freshen(sent) {
    if (!this.renew.checked) return;
    const uuids = JSON.parse(this.text.value)
      .map((object) => object.taskUUID)
      .filter((uuid) => UUID.test(uuid) && sent.has(uuid));
    for (const uuid of uuids) this.text.value = this.text.value.replaceAll(uuid, newUUID());
  }
}

function notTasks(objects) {
  if (!Array.isArray(objects) || !objects.length)
    return "This must be an array with at least one task object: [{ … }].";
  const place = objects.findIndex((object) => typeof object !== "object" || !object?.taskType);
  return place < 0 ? "" : `Object ${place + 1} has no taskType.`;
}

function summary(objects) {
  return objects.length === 1 ? "One task." : `${objects.length} tasks.`;
}

function structured(value, map) {
  if (Array.isArray(value)) return value.map((each) => structured(each, map));
  if (value === null || typeof value !== "object") return map(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, structured(each, map)]));
}
