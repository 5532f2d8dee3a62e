/** What the page shows before its first task: how to begin, and pictures to begin with. */

import { el } from "../dom.js";
import { SAMPLES, sampleURL } from "../pictures/samples.js";

/** @param {HTMLElement} card @param {(picture: {name: string, url: string}) => void} begin with a picture */
export function fillWelcome(card, begin) {
  card.append(
    el("h2", { textContent: "Cut something out" }),
    el("p", {
      textContent: "Click a picture to see it without its background, or drop your own anywhere on this page.",
    }),
    el("ul", { className: "samples" }, ...SAMPLES.map((sample) => el("li", {}, offered(sample, begin)))),
    el("p", { className: "soft", textContent: "Every frame that goes over the wire is in the log below." }),
  );
}

function offered({ name, title }, begin) {
  const url = sampleURL(name);
  return el(
    "button",
    { type: "button", onclick: () => begin({ name, url }) },
    el("img", { src: url, alt: "", width: 144, height: 144 }),
    el("span", { textContent: title }),
  );
}
