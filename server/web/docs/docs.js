/** The manual's pages: code that can be copied, and a search over pages, parameters, codes and settings. */

import { copyText } from "../clipboard.js";
import { el, say } from "../dom.js";

const MOST = 12;

for (const block of document.querySelectorAll(".code")) {
  const code = block.querySelector("pre");
  const button = el("button", {
    className: "small quiet copy",
    type: "button",
    textContent: "Copy",
    "aria-live": "polite",
  });
  button.addEventListener("click", () => copied(code, button));
  block.append(button);
}

/** @param {HTMLElement} code @param {HTMLButtonElement} button */
async function copied(code, button) {
  say(button, await copyText(code));
  setTimeout(() => say(button, "Copy"), 2000);
}

const form = document.querySelector(".search");
const input = form.querySelector("input");
const panel = form.querySelector(".found");
const list = panel.querySelector("ul");
form.hidden = false;

let index = null;

/** What can be found, asked for once it is needed. */
function everything() {
  index ??= fetch("/docs/search.json")
    .then((answer) => answer.json())
    .catch(() => {
      index = null; // the next letter asks again
      return [];
    });
  return index;
}

/** How well an entry fits: 0 not at all, else more for a name that begins as was typed. */
function fit(entry, words) {
  const name = entry.name.toLowerCase();
  const rest = `${entry.in} ${entry.text}`.toLowerCase();
  let points = 0;
  for (const word of words) {
    if (name === word) points += 8;
    else if (name.startsWith(word)) points += 5;
    else if (name.includes(word)) points += 3;
    else if (rest.includes(word)) points += 1;
    else return 0;
  }
  return points;
}

async function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const entries = words.length ? await everything() : [];
  const found = entries
    .map((entry) => ({ entry, points: fit(entry, words) }))
    .filter(({ points }) => points)
    .sort((one, other) => other.points - one.points || one.entry.name.length - other.entry.name.length)
    .slice(0, MOST);
  list.replaceChildren(...found.map(({ entry }) => shown(entry)));
  panel.hidden = !words.length;
  say(panel.querySelector("[role=status]"), found.length ? `${found.length} found` : "Nothing found");
  panel.classList.toggle("empty", !found.length);
}

function shown(entry) {
  return el(
    "li",
    {},
    el(
      "a",
      { href: entry.path },
      el("span", { textContent: entry.name }),
      el("span", { className: "soft", textContent: entry.in }),
    ),
  );
}

/** Move from the field into the results and back. @param {number} step */
function move(step) {
  const stops = [input, ...list.querySelectorAll("a")];
  const place = stops.indexOf(document.activeElement);
  if (place >= 0) stops[(place + step + stops.length) % stops.length].focus();
}

function close() {
  panel.hidden = true;
}

input.addEventListener("input", search);
input.addEventListener("focus", () => everything());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Escape") {
    input.focus();
    close();
  }
});
list.addEventListener("click", close);
document.addEventListener("pointerdown", (event) => {
  if (!form.contains(event.target)) close();
});
form.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !form.contains(event.relatedTarget)) close();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.focus();
});
