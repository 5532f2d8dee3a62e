/** The key of the board. It may be another one than the playground's: a key for looking runs no tasks. */

import { askKey, currentKey, forgetKey, keepKey } from "../key.js";

const NAME = "taskarray.board-key";

/** The key for the board; empty when there is none. One in the address wins.
 * @returns {string} */
export function boardKey() {
  if (new URLSearchParams(location.hash.slice(1)).has("key")) localStorage.removeItem(NAME);
  const shared = currentKey();
  return localStorage.getItem(NAME) ?? shared;
}

/** Ask for a key for the board, and leave the playground its own.
 * @param {string} reason @returns {Promise<string>} */
export async function askBoardKey(reason) {
  const shared = currentKey();
  const key = await askKey(reason);
  if (!key) return "";
  localStorage.setItem(NAME, key);
  if (shared) keepKey(shared);
  else forgetKey();
  return key;
}
