/** Names of files: kept as they came, told apart where two are the same, and followed by what was done. */

/** Characters that some system does not take in the name of a file, or that make it look like another name. */
const UNFIT = /[\u0000-\u001f\u007f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name as that of a file, wherever it came from. @param {string} name */
export function fileName(name) {
  return name.replaceAll(UNFIT, "_");
}

/** This name, or the first of "NAME-2.EXT", "NAME-3.EXT" … that is free.
 * @param {string} name @param {(name: string) => boolean} free */
export function unique(name, free) {
  const [stem, extension] = parted(name);
  let found = name;
  for (let number = 2; !free(found); number += 1) found = `${stem}-${number}${extension}`;
  return found;
}

/** The name of a result: `shoe.jpg` and `removeBackground` give `shoe-remove-background.png`.
 * @param {string} original the name of the picture that it was made of; may be empty
 * @param {string} taskType
 * @param {string} extension without the dot
 * @param {number} [number] which of several, from 1 */
export function resultName(original, taskType, extension, number = 1) {
  const what = taskType.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  const stem = parted(original)[0];
  const many = number > 1 ? `-${number}` : "";
  return `${stem ? `${stem}-` : ""}${what}${many}.${extension}`;
}

function parted(name) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
}
