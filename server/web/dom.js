/** Building elements without markup in strings: what comes over the wire can only ever become text. */

/** An element with these properties and children. `data-…`, `aria-…` and `role` become attributes; what is null or
 * false among the children is left out.
 * @param {string} name
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node|string|null|false|undefined)} children */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, String(value));
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** The same text is not written again: a screen reader would read it again, and a selection would be lost.
 * @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A sentence of the server with what stands in `backticks` as code. @param {string} sentence */
export function prose(sentence) {
  const parts = sentence.split("`");
  return el("span", {}, ...parts.map((part, place) => (place % 2 ? el("code", { textContent: part }) : part)));
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds < 1) return "< 1 ms";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(2)} s`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The first characters of a taskUUID, in a colour that is always the same for it.
 * @param {string} uuid */
export function tag(uuid) {
  const mark = el("span", { className: "tag mono", textContent: uuid.slice(0, 8), title: uuid });
  mark.style.setProperty("--hue", String(hue(uuid)));
  return mark;
}

/** @param {string} uuid */
export function hue(uuid) {
  let found = 0;
  for (const letter of uuid) found = (found * 31 + letter.charCodeAt(0)) >>> 0;
  return (found * 137) % 360;
}
