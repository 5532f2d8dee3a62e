/** One picture as it comes to the shelf: from a file, or from a place that has it. */

import { bytesOf } from "./media.js";

/** @typedef {object} Picture
 * @property {string} name unique on the shelf
 * @property {string} url where the page shows it from
 * @property {File|null} file its bytes; null for one that is named by `uuid` or `source`
 * @property {string} source the URL that the server is given, where it is fetched from elsewhere
 * @property {string} uuid by which the server has it; empty as long as it has not
 * @property {string} upload taskUUID of the upload that is under way
 * @property {boolean} chosen
 * @property {HTMLElement} [tile] by which the shelf shows it */

/** @param {File} file @returns {Picture} */
export function fromFile(file) {
  const name = file.name || `pasted.${file.type.split("/")[1] ?? "png"}`;
  return { name, url: URL.createObjectURL(file), file, source: "", uuid: "", upload: "", chosen: true };
}

/** @param {{name: string, url: string, uuid?: string}} place @returns {Picture} */
export function fromPlace({ name, url, uuid = "" }) {
  return { name, url, file: null, source: uuid ? "" : url, uuid, upload: "", chosen: true };
}

/** What lies at an address as a file, in a list; null where it cannot be had. */
export async function filesAt({ name, url }) {
  try {
    const bytes = await bytesOf(url);
    return [new File([bytes], name, { type: bytes.type })];
  } catch {
    return null;
  }
}

/** The name of the file that a URL ends in. */
export function nameIn(url) {
  const last = new URL(url).pathname.split("/").at(-1);
  try {
    return decodeURIComponent(last) || "picture";
  } catch {
    return last;
  }
}
