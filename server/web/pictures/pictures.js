/** The shelf: the pictures to work on, by whatever way they came, each under a name of its own. A picture is uploaded
 * once; after that the shelf knows by what name the server has it. */

import { el } from "../dom.js";
import { fileName, unique } from "./names.js";
import { filesAt, fromFile, fromPlace, nameIn } from "./picture.js";
import { SAMPLES, sampleURL } from "./samples.js";
import { tile } from "./tile.js";

/** @typedef {import("./picture.js").Picture} Picture */

/** Events: "change", when pictures come, go, or are chosen or not; "learned", when it is known otherwise whether the
 * server has some of them. */
export class PictureShelf extends HTMLElement {
  /** @type {Picture[]} */ pictures = [];
  /** Addresses that were made for files and not given back. */
  #addresses = new Set();

  /** Those that are chosen. */
  get chosen() {
    return this.pictures.filter((picture) => picture.chosen);
  }

  /** @param {string} name */
  named(name) {
    return this.pictures.find((picture) => picture.name === name);
  }

  connectedCallback() {
    if (this.drop) return;
    this.files = el("input", {
      type: "file",
      multiple: true,
      accept: "image/*",
      hidden: true,
      onchange: () => this.picked(),
    });
    this.list = el("ul", { className: "thumbs", "aria-label": "Pictures" });
    this.drop = el(
      "div",
      { className: "drop" },
      el("p", { className: "drop-title", textContent: "Drop pictures here" }),
      el("p", { className: "help", textContent: "or paste them, or" }),
      this.ways(),
    );
    this.told = el("p", { className: "only-heard", role: "status" });
    this.append(this.files, this.drop, this.list, this.samples(), this.told);
    this.listen();
    this.render();
  }

  /** Files, or a picture that is elsewhere ({url, name}) or on the server already ({uuid, name, url}). What lies beside
   * this page is taken as a file, since a server fetches nothing from itself.
   * @param {File[]|{name: string, url: string, uuid?: string}} given
   * @returns {Promise<Picture[]>} what was put on the shelf: nothing, where it cannot be had */
  async add(given) {
    const beside = !Array.isArray(given) && !given.uuid && new URL(given.url, location.href).origin === location.origin;
    const found = beside ? await filesAt(given) : given;
    if (!found) return this.tell(`${given.name} cannot be loaded now.`, true);
    const come = Array.isArray(found) ? found.map(fromFile) : [fromPlace(found)];
    this.put(come);
    this.tell(come.length === 1 ? `${come[0].name} was added.` : `${come.length} pictures were added.`);
    return come;
  }

  /** Pictures that are ready to stand here; each gets a name of its own. @param {Picture[]} pictures */
  put(pictures) {
    for (const picture of pictures) {
      picture.name = unique(fileName(picture.name), (name) => !this.named(name));
      this.pictures.push(picture);
      if (picture.file) this.#addresses.add(picture.url);
    }
    this.changed();
  }

  /** Say what was done, for who cannot see it; or what went wrong, for everybody. */
  tell(sentence, wrong = false) {
    this.told.textContent = sentence;
    this.told.className = wrong ? "wrong" : "only-heard";
    return [];
  }

  /** Give back the addresses of files that are neither on the shelf nor among these. @param {Set<string>} shown */
  release(shown) {
    const here = new Set(this.pictures.map(({ url }) => url));
    for (const address of this.#addresses) {
      if (here.has(address) || shown.has(address)) continue;
      URL.revokeObjectURL(address);
      this.#addresses.delete(address);
    }
  }

  /** An upload has ended: the server has the picture under this UUID.
   * @param {string} taskUUID @param {string} imageUUID */
  uploaded(taskUUID, imageUUID) {
    this.#learn((picture) => picture.upload === taskUUID, imageUUID);
  }

  /** An upload has failed, or the server has lost what this UUID names: the picture is uploaded again when it is used.
   * @param {string} uuid of the task or the image */
  forget(uuid) {
    this.#learn((picture) => picture.file && [picture.upload, picture.uuid].includes(uuid), "");
  }

  /** Another key is used from here on: what the server has under the one before, it has not under this. */
  forgetAll() {
    this.#learn((picture) => picture.file, "");
  }

  #learn(about, uuid) {
    const found = this.pictures.filter(about);
    for (const picture of found) Object.assign(picture, { uuid, upload: "" });
    if (found.length) this.dispatchEvent(new Event("learned"));
  }

  ways() {
    const address = el("input", { type: "url", placeholder: "https://…", "aria-label": "URL of a picture" });
    const form = el(
      "form",
      {
        className: "row nowrap by-url",
        onsubmit: (event) => {
          event.preventDefault();
          this.fetched(address);
        },
      },
      address,
      el("button", { type: "submit", textContent: "Add", "aria-label": "Add the picture at this URL" }),
    );
    return el(
      "div",
      { className: "ways" },
      el("button", {
        type: "button",
        className: "choose",
        textContent: "Choose files",
        onclick: () => this.files.click(),
      }),
      form,
    );
  }

  samples() {
    const sample = ({ name, title }) =>
      el(
        "button",
        {
          type: "button",
          className: "sample",
          onclick: () => this.add({ name, url: sampleURL(name) }),
          "aria-label": `Add the sample: ${title}`,
          title,
        },
        el("img", { src: sampleURL(name), alt: "" }),
      );
    return el(
      "div",
      { className: "samples" },
      el("span", { className: "help", textContent: "Samples" }),
      ...SAMPLES.map(sample),
    );
  }

  fetched(address) {
    if (!URL.canParse(address.value)) return address.reportValidity();
    this.add({ url: address.value, name: nameIn(address.value) });
    address.value = "";
    return true;
  }

  picked() {
    if (this.files.files.length) this.add([...this.files.files]);
    this.files.value = "";
  }

  /** Drop on the shelf, paste anywhere on the page. */
  listen() {
    const over = (on) => (event) => {
      event.preventDefault();
      this.classList.toggle("over", on && event.dataTransfer.types.includes("Files"));
    };
    this.addEventListener("dragover", over(true));
    this.addEventListener("dragleave", over(false));
    this.addEventListener("drop", (event) => {
      over(false)(event);
      this.come(event.dataTransfer);
    });
    document.addEventListener("paste", (event) => {
      if (this.isConnected) this.come(event.clipboardData, event);
    });
  }

  come(data, event) {
    const files = [...(data?.files ?? [])].filter((file) => file.type.startsWith("image/") || !file.type);
    if (!files.length) return;
    event?.preventDefault();
    this.add(files);
  }

  changed() {
    this.render();
    this.dispatchEvent(new Event("change"));
  }

  render() {
    this.classList.toggle("filled", this.pictures.length > 0);
    this.list.hidden = !this.pictures.length;
    this.list.replaceChildren(...this.pictures.map((picture) => (picture.tile ??= this.#tile(picture))));
  }

  #tile(picture) {
    const chosen = () => this.dispatchEvent(new Event("change"));
    return tile(picture, chosen, () => this.remove(picture));
  }

  remove(picture) {
    const place = this.pictures.indexOf(picture);
    this.pictures = this.pictures.filter((each) => each !== picture);
    this.changed();
    (
      this.list.querySelectorAll(".remove")[Math.min(place, this.pictures.length - 1)] ?? this.querySelector(".choose")
    ).focus();
  }
}

customElements.define("picture-shelf", PictureShelf);
