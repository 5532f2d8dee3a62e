/** Values without the bytes of pictures in them, to be kept and to be read. */

import { size } from "../dom.js";

const START = 48;

/** A copy of a value in which texts longer than `most` are cut short and say how long they were, and whether it is
 * whole.
 * @param {unknown} value @param {number} most
 * @returns {{value: any, whole: boolean}} */
export function shortened(value, most) {
  let whole = true;
  const cut = (part) => {
    if (typeof part === "string" && part.length > most) {
      whole = false;
      return `${part.slice(0, START)}… (${size(part.length)})`;
    }
    if (Array.isArray(part)) return part.map(cut);
    if (part && typeof part === "object")
      return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, cut(inner)]));
    return part;
  };
  return { value: cut(value), whole };
}

/** A value as text for people. @param {unknown} value */
export function pretty(value) {
  return JSON.stringify(shortened(value, 200).value, null, 2);
}
