/** What there is to see in an answer: pictures under whatever name, words, and the rest. */

import { resultName } from "./names.js";

/** @typedef {{uuid: string, url: string, extension: string, file: string}} ResultPicture `file` is the name to save
 * it under */

/** First characters of base64, by the kind of file that they begin. */
const BEGINNINGS = [
  ["iVBORw", "png"],
  ["/9j/", "jpg"],
  ["UklGR", "webp"],
  ["R0lGOD", "gif"],
  ["Qk", "bmp"],
  ["SUkq", "tiff"],
  ["TU0A", "tiff"],
  ["PHN2Zy", "svg"],
  ["PD94bW", "svg"],
];
const TYPES = { jpg: "jpeg", svg: "svg+xml" };
/** Members of an item that say nothing to somebody who looks at the result. */
const UNSEEN = new Set([
  "taskType",
  "taskUUID",
  "status",
  "receipt",
  "inputImageUUID",
  "resultIndex",
  "cached",
  "text",
]);
/** File types that can be transparent. */
const TRANSPARENT = new Set(["png", "webp", "svg", "gif", "tiff"]);

/** Every picture of a task's items: a member that ends in UUID with its URL, data URI or base64 beside it.
 * @param {{items: object[], name?: string, taskType: string}} result @returns {ResultPicture[]} */
export function picturesOf({ items, name = "", taskType }) {
  const found = items.flatMap((item) =>
    stems(item).map((stem) => {
      const url = item[`${stem}URL`] ?? item[`${stem}DataURI`] ?? fromBase64(item[`${stem}Base64Data`]);
      return { uuid: item[`${stem}UUID`], url, extension: extensionOf(url) };
    }),
  );
  return found.map((picture, place) => ({
    ...picture,
    file: resultName(name, taskType, picture.extension, place + 1),
  }));
}

/** The words of a task's items. @param {object[]} items @returns {string[]} */
export function wordsOf(items) {
  return items.map((item) => item.text).filter((text) => typeof text === "string");
}

/** What else an item says: [name, value] of each member. @param {object} item */
export function factsOf(item) {
  const shown = new Set(
    stems(item).flatMap((stem) => ["UUID", "URL", "DataURI", "Base64Data"].map((end) => stem + end)),
  );
  return Object.entries(item).filter(([name, value]) => !UNSEEN.has(name) && !shown.has(name) && value !== null);
}

/** @param {ResultPicture} picture */
export function mayBeTransparent({ extension }) {
  return TRANSPARENT.has(extension);
}

/** The bytes of a picture. @param {string} url @returns {Promise<Blob>} */
export async function bytesOf(url) {
  const [head, data] = url.startsWith("data:") ? url.split(",") : [];
  if (data !== undefined)
    return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], {
      type: head.slice(5).split(";")[0],
    });
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`The server does not have this picture any more (${answer.status}).`);
  return answer.blob();
}

/** Hand bytes to the person as a file. @param {Blob} bytes @param {string} name */
export function save(bytes, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(bytes), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** `maskImage` for an item with `maskImageUUID` and one of `maskImageURL` … */
function stems(item) {
  return Object.keys(item)
    .filter((name) => name.endsWith("UUID"))
    .map((name) => name.slice(0, -"UUID".length))
    .filter((stem) => ["URL", "DataURI", "Base64Data"].some((end) => item[stem + end]));
}

function fromBase64(data) {
  const [, kind] = BEGINNINGS.find(([beginning]) => data.startsWith(beginning)) ?? [null, "png"];
  return `data:image/${TYPES[kind] ?? kind};base64,${data}`;
}

function extensionOf(url) {
  const inline = /^data:image\/([a-z]+)/.exec(url)?.[1];
  const found = inline ?? /\.([a-z0-9]{2,5})$/i.exec(new URL(url, location.href).pathname)?.[1].toLowerCase() ?? "png";
  return found === "jpeg" ? "jpg" : found;
}
