/** A field that names an image: pictures of the shelf, or a URL or UUID typed. In what is read, "@NAME" stands for a
 * picture of the shelf, and EACH for every chosen one, a task apiece. */

import { el } from "../dom.js";
import { Field } from "./field.js";

export const EACH = "@*";
const TYPED = "?";
const MOST_SHOWN = 4;

export class PictureField extends Field {
  /** @param {object} given with the `shelf`, and `main` where one task is made for each chosen picture */
  constructor(given) {
    super(given);
    this.shelf = given.shelf;
    this.main = given.main ?? false;
    this.select = el("select", { onchange: () => this.chosen() });
    this.typed = el("input", {
      type: "text",
      placeholder: "https://… or a UUID",
      hidden: true,
      spellcheck: false,
      autocomplete: "off",
      "aria-label": `${this.label}: URL or UUID`,
      onchange: () => this.check(),
    });
    this.shown = el("span", { className: "minis", "aria-hidden": "true" });
    this.framed(
      this.select,
      el("div", { className: "pick" }, el("div", { className: "row nowrap" }, this.select, this.shown), this.typed),
    );
    if (this.main) this.help.textContent = "One task for each picture that is chosen above.";
    this.refresh();
    this.write(undefined);
  }

  /** Offer what the shelf has now. */
  refresh() {
    const before = this.select.value;
    const { pictures, chosen } = this.shelf;
    const each = this.main && el("option", { value: EACH, textContent: `Each chosen picture (${chosen.length})` });
    const none = !this.main && el("option", { value: "", textContent: this.required ? "Choose a picture…" : "None" });
    const offered = pictures.map((picture) => el("option", { value: `@${picture.name}`, textContent: picture.name }));
    const all = [
      each,
      none,
      this.main && !this.required && el("option", { value: "", textContent: "None" }),
      ...offered,
      el("option", { value: TYPED, textContent: "URL or UUID…" }),
    ];
    this.select.replaceChildren(...all.filter(Boolean));
    this.select.value = [...this.select.options].some((option) => option.value === before) ? before : this.usual();
    this.picture();
    if (!this.wrong.hidden) this.check();
  }

  usual() {
    return this.main ? EACH : "";
  }

  chosen() {
    this.picture();
    if (!this.typed.hidden) this.typed.focus();
  }

  /** Show what is picked: small pictures, or the place to type. */
  picture() {
    const { value } = this.select;
    this.typed.hidden = value !== TYPED;
    const picked = value === EACH ? this.shelf.chosen : this.shelf.pictures.filter((each) => `@${each.name}` === value);
    this.shown.replaceChildren(...picked.slice(0, MOST_SHOWN).map((each) => el("img", { src: each.url, alt: "" })));
    this.shown.hidden = !picked.length;
  }

  read() {
    const { value } = this.select;
    return (value === TYPED ? this.typed.value.trim() : value) || undefined;
  }

  write(value) {
    const offered = [...this.select.options].some((option) => option.value === value && value !== TYPED);
    this.select.value = value === undefined ? this.usual() : offered ? value : TYPED;
    this.typed.value = value === undefined || offered ? "" : String(value);
    this.picture();
    this.show("");
  }

  fault() {
    const value = this.read();
    if (value === EACH && !this.shelf.chosen.length) return "Add a picture above, and choose it.";
    return value === undefined && this.required ? "A picture is needed here." : "";
  }
}
