/** Text for the clipboard, also where a page may not write there: not every page comes over a safe connection. */

/** @param {HTMLElement} shown whose text is taken
 * @returns {Promise<string>} what was done, for the button that asked */
export async function copyText(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(shown);
    return "Selected: press Ctrl+C";
  }
}
