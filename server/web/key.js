/** The API key: brought in the part of the address that is never sent, remembered by this browser, or asked for. */

import { el, prose } from "./dom.js";

const NAME = "taskarray.key";
/** The key of this page, where the browser lets it keep nothing. */
let unkept = "";

/** The key that requests of this page carry; empty when there is none. One in the address wins and is taken out of it,
 * so that it stands in no history and on no screenshot.
 * @returns {string} */
export function currentKey() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const brought = parts.get("key");
  if (brought) {
    keepKey(brought);
    parts.delete("key");
    const rest = parts.toString();
    history.replaceState(history.state, "", location.pathname + location.search + (rest && `#${rest}`));
  }
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return unkept;
  }
}

/** @param {string} key */
export function keepKey(key) {
  try {
    localStorage.setItem(NAME, key.trim());
  } catch {
    unkept = key.trim();
  }
}

export function forgetKey() {
  localStorage.removeItem(NAME);
}

/** @type {Promise<string> | null} */
let asking = null;

/** Ask for a key, and keep it. Whoever asks meanwhile waits for the same answer.
 * @param {string} reason why one is needed, as a sentence
 * @returns {Promise<string>} the key; empty when none was given */
export function askKey(reason) {
  asking ??= answered(reason).finally(() => {
    asking = null;
  });
  return asking;
}

function answered(reason) {
  const input = el("input", {
    id: "ask-key-field",
    type: "password",
    required: true,
    autocomplete: "off",
    spellcheck: false,
    autofocus: true,
  });
  const dialog = el("dialog", { id: "ask-key", className: "ask-key", "aria-labelledby": "ask-key-title" });
  dialog.append(
    form(
      reason,
      input,
      () => dialog.close(input.value.trim()),
      () => dialog.close(""),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue) keepKey(dialog.returnValue);
      resolve(dialog.returnValue);
    });
  });
}

function form(reason, input, done, left) {
  return el(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        done();
      },
    },
    el("h2", { id: "ask-key-title", textContent: "API key" }),
    el("p", {}, prose(reason)),
    el("label", { htmlFor: input.id, textContent: "Key" }),
    input,
    el(
      "p",
      { className: "soft" },
      el("code", { textContent: "taskarray serve" }),
      " prints one when it starts, ",
      el("code", { textContent: "taskarray keys create NAME" }),
      " makes another. It is kept in this browser only.",
    ),
    el(
      "div",
      { className: "row" },
      el("button", { className: "primary", type: "submit", textContent: "Connect" }),
      el("button", { className: "quiet", type: "button", textContent: "Not now", onclick: left }),
    ),
  );
}
