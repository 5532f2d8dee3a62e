/** The results of one task, to be looked at and taken along. */

import "./backdrop.js";
import { copyText } from "../clipboard.js";
import "./compare.js";
import { el, say } from "../dom.js";
import { bytesOf, factsOf, mayBeTransparent, picturesOf, save, wordsOf } from "../pictures/media.js";
import { words } from "../form/shape.js";
import { openViewer } from "./viewer.js";

/** Two pictures have one shape where their sides differ by no more than this share. */
const SAME_SHAPE = 0.02;

/** Property `result` {items, before, name, taskType}: the items of a task's answer, and the address of the picture that
 * it was about, or null. Dispatches, bubbling, "use-picture" {uuid, name, url}. */
export class ResultView extends HTMLElement {
  /** @type {{items: object[], before: string|null, name: string, taskType: string}} */ result;

  connectedCallback() {
    if (this.firstChild) return;
    const { items } = this.result;
    this.pictures = picturesOf(this.result);
    this.stage = el("div", { className: "stage" });
    this.told = el("p", { className: "told", role: "status" });
    this.append(
      ...[
        this.pictures.length && this.stage,
        ...wordsOf(items).map(saying),
        this.#tools(),
        ...items.map(facts),
        this.told,
      ].filter(Boolean),
    );
    if (this.pictures.length) this.#show();
  }

  /** One picture of the shape of the one before it goes over it; others side by side. */
  async #show() {
    const { before, name, taskType } = this.result;
    const [first, ...others] = this.pictures;
    if (!others.length && before && (await sameShape(before, first.url))) {
      this.stage.replaceChildren(
        el("before-after", { pictures: { before, after: first.url, name: name || taskType } }),
      );
      return;
    }
    const shown = before && (await sizeOf(before)) ? [{ url: before, file: `before: ${name}` }] : [];
    const tiles = [
      ...shown.map((picture) => figure(picture, null)),
      ...this.pictures.map((picture, place) => this.#tile(picture, place)),
    ];
    this.stage.classList.toggle("many", tiles.length > 1);
    this.stage.replaceChildren(...tiles);
  }

  #tile(picture, place) {
    return figure(
      picture,
      () => this.#view(place),
      this.pictures.length > 1 && [this.#download(picture), this.#use(picture)],
    );
  }

  #tools() {
    const { pictures } = this;
    if (!pictures.length) return null;
    const only = pictures.length === 1 ? [this.#download(pictures[0]), this.#use(pictures[0])] : [];
    return el(
      "div",
      { className: "row tools" },
      pictures.some(mayBeTransparent) && el("backdrop-chooser"),
      el("span", { className: "grow" }),
      action("Zoom", () => this.#view(0), "Zoom: see it in full size"),
      ...only,
    );
  }

  #view(place) {
    openViewer(this.pictures, place, this.result.before);
  }

  #download(picture) {
    return action(
      "Download",
      async () => {
        try {
          save(await bytesOf(picture.url), picture.file);
        } catch (failure) {
          say(this.told, failure.message);
        }
      },
      `Download ${picture.file}`,
    );
  }

  #use({ uuid, url, file }) {
    const tell = () =>
      this.dispatchEvent(new CustomEvent("use-picture", { bubbles: true, detail: { uuid, name: file, url } }));
    return action("As input", tell, `As input: put ${file} on the shelf`);
  }
}

/** Names and addresses of all that can be downloaded, for an archive.
 * @param {Iterable<{items: object[], name: string, taskType: string, aside?: boolean}>} entries */
export function downloads(entries) {
  return [...entries]
    .filter(({ aside }) => !aside)
    .flatMap((entry) => picturesOf(entry).map(({ file, url }) => ({ name: file, url })));
}

function action(textContent, onclick, label = "") {
  return el("button", {
    type: "button",
    className: "small",
    textContent,
    onclick,
    ...(label && { "aria-label": label }),
  });
}

function figure({ url, file }, open, buttons) {
  const image = el("img", {
    src: url,
    alt: file,
    className: "backdrop",
    onerror: () => image.replaceWith(unseen(file)),
  });
  const shown = open
    ? el("button", { type: "button", className: "look", "aria-label": `${file} in full size`, onclick: open }, image)
    : image;
  return el(
    "figure",
    {},
    shown,
    el("figcaption", { textContent: file, title: file }),
    buttons && el("div", { className: "row tools" }, ...buttons),
  );
}

function unseen(file) {
  return el("span", {
    className: "unseen",
    textContent: `This browser cannot show ${file.split(".").at(-1).toUpperCase()} files. Download it.`,
  });
}

function saying(text) {
  const shown = el("p", { textContent: text });
  const copy = action("Copy", async () => {
    copy.textContent = await copyText(shown);
  });
  return el("blockquote", { className: "saying" }, shown, copy);
}

/** What an item says besides: short things in a line, lists as tables. */
function facts(item) {
  const all = factsOf(item);
  const lists = all.filter(([, value]) => typeof value === "object");
  const short = all.filter(([, value]) => typeof value !== "object" && value !== "");
  if (!all.length) return null;
  return el(
    "div",
    { className: "facts" },
    short.length > 0 &&
      el(
        "dl",
        {},
        ...short.map(([name, value]) =>
          el("div", {}, el("dt", { textContent: words(name) }), el("dd", { textContent: String(value) })),
        ),
      ),
    ...lists.map(([name, value]) => listed(name, value)),
  );
}

function listed(name, value) {
  const rows = [value].flat();
  if (!rows.length) return el("p", { className: "help", textContent: `${words(name)}: none.` });
  const columns = [...new Set(rows.flatMap((row) => Object.keys(Object(row))))];
  const plain = typeof rows[0] !== "object";
  const cell = (found) =>
    el("td", {
      textContent: typeof found === "object" && found !== null ? JSON.stringify(found) : String(found ?? ""),
    });
  return el(
    "div",
    { className: "scroll", tabIndex: 0, role: "region", "aria-label": words(name) },
    el(
      "table",
      {},
      el("caption", { textContent: words(name) }),
      !plain &&
        el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { textContent: column, scope: "col" })))),
      el(
        "tbody",
        {},
        ...rows.map((row) => el("tr", {}, ...(plain ? [cell(row)] : columns.map((column) => cell(row[column]))))),
      ),
    ),
  );
}

async function sameShape(one, other) {
  const [first, second] = await Promise.all([sizeOf(one), sizeOf(other)]);
  return Boolean(first && second) && Math.abs(first / second - 1) <= SAME_SHAPE;
}

/** Width over height; 0 for what cannot be shown. */
function sizeOf(url) {
  const image = new Image();
  return new Promise((resolve) => {
    image.onload = () => resolve(image.naturalWidth / image.naturalHeight);
    image.onerror = () => resolve(0);
    image.src = url;
  });
}

customElements.define("result-view", ResultView);
