/** What is on the shelf of a tab, over a reload. It lies in this browser's own database, and goes when its tab has not
 * been here for a day. A browser that keeps nothing keeps nothing here either. */

import { newUUID } from "../uuid.js";

const TAB = "taskarray.shelf";
const DAY = 86_400_000;

export class Drawer {
  #tab = tab();
  #base = opened();
  /** Nothing is put in before it is known what lies there. */ #looked = false;
  /** The files that lie in it, by name. @type {Map<string, File>} */ #lying = new Map();
  /** What is done last; writing waits its turn. */ #last = Promise.resolve();

  /** What this tab had on its shelf. @returns {Promise<import("./picture.js").Picture[]>} */
  async taken() {
    try {
      const base = await this.#base;
      await emptied(base, Date.now() - DAY);
      const reading = base.transaction(["shelves", "files"]);
      const told = (await answered(reading.objectStore("shelves").get(this.#tab)))?.pictures ?? [];
      const files = told.map(({ name }) => answered(reading.objectStore("files").get([this.#tab, name])));
      return (await Promise.all(files)).map((file, place) => this.#picture(told[place], file)).filter(Boolean);
    } catch {
      return [];
    } finally {
      this.#looked = true;
    }
  }

  /** Keep these, and no others. @param {import("./picture.js").Picture[]} pictures */
  keep(pictures) {
    if (!this.#looked) return this.#last;
    const shelf = { at: Date.now(), pictures: pictures.map(told) };
    const files = new Map(pictures.filter(({ file }) => file).map(({ name, file }) => [name, file]));
    this.#last = this.#last.then(() => this.#write(shelf, files)).catch(() => {});
    return this.#last;
  }

  async #write(shelf, files) {
    const writing = (await this.#base).transaction(["shelves", "files"], "readwrite");
    writing.objectStore("shelves").put(shelf, this.#tab);
    const store = writing.objectStore("files");
    for (const name of this.#lying.keys()) if (!files.has(name)) store.delete([this.#tab, name]);
    for (const [name, file] of files) if (this.#lying.get(name) !== file) store.put(file, [this.#tab, name]);
    await finished(writing);
    this.#lying = files;
  }

  #picture(told, file) {
    if (told.url) return { ...told, file: null };
    if (!file) return null;
    this.#lying.set(told.name, file);
    return { ...told, file, url: URL.createObjectURL(file) };
  }
}

/** A picture without its bytes, and without an address that ends with the page. */
function told({ name, url, file, source, uuid, upload, chosen }) {
  return { name, url: file ? "" : url, source, uuid, upload, chosen };
}

/** By which this tab is known after a reload. */
function tab() {
  try {
    const known = sessionStorage.getItem(TAB) ?? newUUID();
    sessionStorage.setItem(TAB, known);
    return known;
  } catch {
    return newUUID();
  }
}

/** @returns {Promise<IDBDatabase>} */
async function opened() {
  const asked = indexedDB.open("taskarray");
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("shelves");
    asked.result.createObjectStore("files");
  };
  return answered(asked);
}

/** Let go of the shelves of tabs that were last here before this time. */
async function emptied(base, before) {
  const writing = base.transaction(["shelves", "files"], "readwrite");
  const shelves = writing.objectStore("shelves");
  shelves.openCursor().onsuccess = ({ target: { result: cursor } }) => {
    if (!cursor) return;
    if (cursor.value.at < before) {
      writing.objectStore("files").delete(IDBKeyRange.bound([cursor.key], [cursor.key, []]));
      cursor.delete();
    }
    cursor.continue();
  };
  await finished(writing);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}
