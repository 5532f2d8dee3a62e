/** A picture on the shelf: chosen or not, and to be taken away. */

import { el, size } from "../dom.js";

/** @param {import("./picture.js").Picture} picture
 * @param {() => void} changed it was chosen, or is no longer
 * @param {() => void} remove @returns {HTMLElement} */
export function tile(picture, changed, remove) {
  const box = el("input", {
    type: "checkbox",
    checked: picture.chosen,
    "aria-label": `Use ${picture.name}`,
    onchange: () => {
      picture.chosen = box.checked;
      changed();
    },
  });
  const image = el("img", { src: picture.url, alt: "", onerror: () => image.replaceWith(ending(picture.name)) });
  const detail = picture.file ? size(picture.file.size) : picture.source ? "URL" : "on the server";
  return el(
    "li",
    {},
    el("label", { className: "thumb checked", title: `${picture.name}, ${detail}` }, image, box),
    el("span", { className: "thumb-name", textContent: picture.name, title: picture.name }),
    el("button", {
      type: "button",
      className: "remove",
      textContent: "✕",
      "aria-label": `Remove ${picture.name}`,
      onclick: remove,
    }),
  );
}

/** What stands for a picture that the browser cannot show: the ending of its name. */
function ending(name) {
  return el("span", {
    className: "ending",
    textContent: name.includes(".") ? name.split(".").at(-1).slice(0, 5) : "?",
  });
}
