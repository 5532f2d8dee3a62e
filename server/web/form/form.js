/** The form of one task type, made from its JSON Schema alone: what it needs and its first parameters, the others
 * folded away, then what many task types have in common, then the members that every task may have. */

import { EnumField, JsonField, LooseField, NumberField, TextField, TickField } from "./controls.js";
import { fieldsIn, ListField, Members, ObjectField } from "./containers.js";
import { el, say } from "../dom.js";
import { BoxesField, RowField } from "./groups.js";
import { PictureField } from "./picture-field.js";
import { itemOf, membersOf, shapeOf } from "./shape.js";

/** So many parameters of its own that a task does not need are shown at first. */
const FIRST = 4;
/** A parameter that so many other task types have too is common. */
const COMMON = 3;
/** Members of every task that the page sees to itself. */
const OURS = ["taskType", "taskUUID", "validateOnly"];
/** What is entered from the start: the page shows where the time of a task went. */
const USUAL = { includeReceipt: true };

export class TaskForm {
  /** @param {string} taskType @param {object} catalog the body of /schemas.json @param {object} shelf */
  constructor(taskType, catalog, shelf) {
    this.taskType = taskType;
    this.shelf = shelf;
    const members = membersOf(shapeOf(catalog.tasks[taskType].params, catalog.tasks[taskType].params));
    this.main = mainPicture(members);
    const make = (given) => this.field(given);
    this.params = new Members(members, (given) => this.field({ ...given, main: given.name === this.main }));
    const every = membersOf(shapeOf(catalog.envelope, catalog.envelope));
    this.envelope = new Members(
      every.filter((member) => !OURS.includes(member.name)),
      make,
    );
    this.envelope.write(USUAL);
    this.element = el("div", { className: "task-form" }, ...this.sections(members, catalog));
    this.element.addEventListener("change", () => this.count());
    this.count();
  }

  /** The field of a shape. */
  field(given) {
    const { shape } = given;
    if (shape.kind === "image") return this.pictured(given);
    if (shape.kind === "list") return this.listed(given);
    if (shape.kind === "object") return new ObjectField(given, (inner) => this.field(inner));
    const kinds = {
      enum: EnumField,
      boolean: TickField,
      integer: NumberField,
      number: NumberField,
      text: TextField,
      loose: LooseField,
    };
    return new (kinds[shape.kind] ?? JsonField)(given);
  }

  listed(given) {
    const item = itemOf(given.shape);
    const { minItems = 0, maxItems } = given.shape.schema;
    if (item.kind === "enum") return new BoxesField(given);
    if (item.kind === "number" && minItems > 1 && minItems === maxItems) return new RowField(given);
    return item.kind === "json" ? new JsonField(given) : new ListField(given, (inner) => this.field(inner));
  }

  pictured(given) {
    const field = new PictureField({ ...given, shelf: this.shelf });
    this.pictures = [...(this.pictures ?? []), field];
    return field;
  }

  /** The pictures on the shelf are others, or other ones are chosen. */
  refresh() {
    for (const field of this.pictures ?? []) field.refresh();
  }

  sections(members, catalog) {
    const shared = commonNames(catalog, this.taskType);
    const needed = members.filter((member) => member.required || member.name === this.main);
    const own = members.filter((member) => !needed.includes(member) && !shared.has(member.name));
    const first = own.length <= FIRST + 1 ? own : own.slice(0, FIRST);
    const common = members.filter((member) => !needed.includes(member) && shared.has(member.name));
    const shown = (some) => some.map((member) => this.params.fields.get(member.name));
    return [
      fieldsIn(shown([...needed, ...first])),
      this.folded("More settings", shown(own.filter((member) => !first.includes(member)))),
      this.folded("Model and output", shown(common)),
      this.folded("Queue, delivery and the rest", [...this.envelope.fields.values()]),
    ].filter(Boolean);
  }

  folded(title, fields) {
    if (!fields.length) return null;
    const count = el("span", { className: "chip" });
    const section = el("details", { className: "fold" }, el("summary", {}, title, count), fieldsIn(fields));
    const usual = new Map(fields.map((field) => [field, JSON.stringify(field.read())]));
    this.counts = [...(this.counts ?? []), [count, usual]];
    return section;
  }

  /** Say beside each folded part how much in it is set. */
  count() {
    for (const [chip, usual] of this.counts ?? []) {
      const set = [...usual].filter(([field, text]) => JSON.stringify(field.read()) !== text).length;
      say(chip, `${set} set`);
      chip.hidden = !set;
    }
  }

  /** What is sent besides taskType and taskUUID: only what differs from what the server takes by itself. */
  read() {
    return { ...this.params.read(), ...this.envelope.read() };
  }

  /** Set these parameters; what they do not name is emptied, but the pictures that were picked. */
  write(values) {
    for (const [name, field] of this.params.fields) {
      if (!(field instanceof PictureField) || name in values) field.write(values[name]);
    }
    this.count();
  }

  /** Say beside each field what is wrong. The first that has something wrong, shown and focused, or null. */
  check() {
    const wrong = this.params.firstWrong() ?? this.envelope.firstWrong();
    if (wrong) {
      reveal(wrong);
      wrong.control.focus();
    }
    return wrong;
  }

  /** Say beside their fields what the server found wrong. Nobody waits for it, so the focus stays where it is.
   * @param {{parameter?: string, message: string}[]} failures */
  refuse(failures) {
    for (const { parameter = "", message } of failures) {
      const field = this.fieldOf(parameter);
      if (!field) continue;
      field.show(message);
      reveal(field);
    }
  }

  fieldOf(parameter) {
    const place = parameter.split(/[.[\]]+/).filter(Boolean);
    return this.params.at(place) ?? this.envelope.at(place);
  }
}

function reveal(field) {
  for (let part = field.element; part; part = part.parentElement) if (part.localName === "details") part.open = true;
}

/** The parameter that takes the chosen pictures: the first image that is needed; where nothing is, the first parameter
 * if it is an image. */
function mainPicture(members) {
  const needed = members.find((member) => member.required && member.shape.kind === "image");
  if (needed) return needed.name;
  const [first] = members;
  return first?.shape.kind === "image" && !members.some((member) => member.required) ? first.name : null;
}

/** Names of parameters that many task types have, and whose fields are folded away together. */
function commonNames(catalog, taskType) {
  const others = Object.entries(catalog.tasks).filter(([name]) => name !== taskType);
  const names = Object.keys(catalog.tasks[taskType].params.properties ?? {});
  const holders = (name) => others.filter(([, task]) => name in (task.params.properties ?? {})).length;
  return new Set(names.filter((name) => holders(name) >= COMMON));
}
