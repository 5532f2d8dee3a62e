/** Where tasks are put together: a form for one task type, or a whole array as JSON; then run, checked or copied. */

import { openCopy } from "./copy.js";
import { el, say } from "../dom.js";
import { TaskForm } from "./form.js";
import { JsonTab } from "./json-tab.js";
import { BEGINNINGS, PRESETS } from "./presets.js";
import { arrays, resolved, spread } from "../pictures/references.js";
import { words } from "./shape.js";
import { tabs } from "./tabs.js";
import { newUUID } from "../uuid.js";

/** Properties: `shelf`, a picture-shelf, and `catalog`, the body of /schemas.json. Dispatches, bubbling, "submit" with
 * {objects, about}, where `about` says for each taskUUID which picture it is about. */
export class TaskComposer extends HTMLElement {
  /** Forms by task type: what was entered in one is there when one comes back to it. @type {Map<string, TaskForm>} */
  #forms = new Map();
  #sent = new Set();
  #catalog = null;
  #shelf = null;

  get catalog() {
    return this.#catalog;
  }

  set catalog(body) {
    this.#catalog = body;
    this.#build();
  }

  get shelf() {
    return this.#shelf;
  }

  set shelf(shelf) {
    this.#shelf = shelf;
    shelf.addEventListener("change", () => this.#refresh());
    this.#build();
  }

  /** The form that is shown. @returns {TaskForm} */
  get form() {
    return this.#forms.get(this.select.value);
  }

  #build() {
    if (!this.#catalog || !this.#shelf) return;
    this.#forms.clear();
    this.json = new JsonTab(this.#shelf);
    this.select = this.#types();
    this.about = el("p", { className: "help" });
    this.presets = el("div", { className: "row presets", role: "group", "aria-label": "Presets" });
    this.place = el("div");
    const panel = this.#panel();
    this.tabs = tabs("How to put tasks together", { Form: panel, JSON: this.json.element }, (name) =>
      this.#turned(name),
    );
    this.told = el("p", { className: "told", role: "status" });
    this.classList.add("card");
    this.replaceChildren(
      this.tabs.element,
      panel,
      this.json.element,
      el("div", { className: "commands" }, this.told, this.#buttons()),
    );
    this.onkeydown = (event) => this.#key(event);
    this.choose(Object.keys(PRESETS).find((name) => name in this.#catalog.tasks) ?? this.select.value);
  }

  #panel() {
    const label = el("label", { htmlFor: this.select.id, textContent: "Task" });
    const task = el("div", { className: "field" }, label, this.select, this.about);
    return el("div", { className: "form-tab" }, task, this.presets, this.place);
  }

  #key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault(); // or the button that has the focus would be pressed as well
    if (!event.repeat) this.run();
  }

  /** All task types, those that work on a picture first. */
  #types() {
    const names = Object.keys(this.#catalog.tasks);
    const pictured = (name) => JSON.stringify(this.#catalog.tasks[name].params).includes('"x-image"');
    const option = (name) => el("option", { value: name, textContent: `${words(name)} (${name})` });
    const group = (label, some) => el("optgroup", { label }, ...some.map(option));
    return el(
      "select",
      { id: "task-type", onchange: () => this.choose(this.select.value) },
      group("With pictures", names.filter(pictured)),
      group(
        "Without",
        names.filter((name) => !pictured(name)),
      ),
    );
  }

  #buttons() {
    const button = (textContent, className, title, onclick) =>
      el("button", { type: "button", textContent, className, title, onclick });
    return el(
      "div",
      { className: "row" },
      button("Run", "primary grow", "Ctrl+Enter", () => this.run()),
      button("Check", "", "Ask the server what is wrong with it, and do nothing", () => this.check()),
      button("Copy as…", "", "As curl, Python or JavaScript", () => this.copy()),
    );
  }

  /** Show the form of a task type, with one of its presets where it is named.
   * @param {string} taskType @param {string} [preset] */
  choose(taskType, preset) {
    this.select.value = taskType;
    if (!this.form) this.#forms.set(taskType, this.#begun(taskType));
    this.about.textContent = this.#catalog.tasks[taskType].summary;
    this.place.replaceChildren(this.form.element);
    this.presets.replaceChildren(...Object.keys(PRESETS[taskType] ?? {}).map((name) => this.#preset(name)));
    this.presets.hidden = !this.presets.firstChild;
    this.form.refresh();
    if (preset) this.#apply(preset);
    this.#say("");
  }

  #begun(taskType) {
    const form = new TaskForm(taskType, this.#catalog, this.#shelf);
    if (taskType in BEGINNINGS) form.write(PRESETS[taskType][BEGINNINGS[taskType]]);
    return form;
  }

  #preset(name) {
    return el("button", {
      type: "button",
      className: "small chip-button",
      textContent: name,
      onclick: () => this.#apply(name),
    });
  }

  #apply(name) {
    this.tabs.show("Form");
    this.form.write(PRESETS[this.select.value][name]);
    this.#say(`Set: ${name}.`);
  }

  /** Put an array into the JSON tab. @param {object[]} objects */
  fill(objects) {
    this.json.fill(objects);
    this.json.edited = true;
    this.tabs.show("JSON");
    this.json.text.focus();
  }

  /** As long as nobody has written there, the JSON tab shows what the form would send. */
  #turned(name) {
    this.#say("");
    if (name === "JSON" && !this.json.edited) this.json.fill(this.#formObjects());
  }

  #refresh() {
    if (!this.told) return; // it is not known yet what task types there are
    for (const form of this.#forms.values()) form.refresh();
    this.json?.refresh();
    this.#say("");
  }

  #formObjects() {
    return spread({ taskType: this.select.value, taskUUID: "", ...this.form.read() }, this.#shelf.chosen);
  }

  /** The objects of the tab that is shown, "@NAME" standing for pictures; null where something is wrong and said. */
  #objects({ unchecked = false } = {}) {
    if (this.tabs.current() === "Form") {
      const wrong = this.form.check();
      if (wrong && !unchecked) return this.#say(`${wrong.label}: ${wrong.fault() || "see there"}`, true);
      const objects = this.#formObjects();
      return objects.length ? objects : this.#say("Add a picture above, and choose it.", true);
    }
    if (!this.json.check()) return this.#say("The array is not right yet.", true);
    this.json.freshen(this.#sent);
    return this.json.read();
  }

  /** Send what was put together. */
  run() {
    return this.#send(this.#objects(), "run");
  }

  /** Ask the server what it thinks of it. It has the last word, so what the page finds wrong is asked too. */
  check() {
    return this.#send(this.#objects({ unchecked: true }), "check");
  }

  async #send(given, purpose) {
    if (!given) return;
    const objects = purpose === "check" ? given.map((object) => ({ ...object, taskUUID: newUUID() })) : given;
    const found = await resolved(objects, this.#shelf, purpose).catch((failure) => this.#say(failure.message, true));
    if (!found) return;
    for (const { taskUUID } of found.objects) this.#sent.add(taskUUID);
    const sent = this.tabs.current() === "Form" ? arrays(found.objects) : [found.objects];
    for (const part of sent) this.#dispatch(part, found.about);
    const tasks = given.length === 1 ? "One task" : `${given.length} tasks`;
    this.#say(purpose === "check" ? `${tasks} sent to be checked.` : `${tasks} sent.`);
  }

  #dispatch(objects, about) {
    this.dispatchEvent(new CustomEvent("submit", { bubbles: true, detail: { objects, about } }));
  }

  /** Show what was put together as code. */
  async copy() {
    const given = this.#objects();
    if (given) openCopy((await resolved(given, this.#shelf, "copy")).objects);
  }

  /** Say beside their fields what the server found wrong with a task of this form.
   * @param {string} taskType @param {{parameter?: string, message: string}[]} failures */
  refuse(taskType, failures) {
    if (this.tabs.current() === "Form" && taskType === this.select.value) this.form.refuse(failures);
  }

  #say(sentence, wrong = false) {
    say(this.told, sentence);
    this.told.classList.toggle("wrong", wrong);
    return null;
  }
}

customElements.define("task-composer", TaskComposer);
