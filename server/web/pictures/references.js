/** "@NAME" in a task object stands for a picture of the shelf. Here it becomes what the server understands: the UUID
 * under which it has the picture, the URL where it lies, or an upload that goes before. */

import { EACH } from "../form/picture-field.js";
import { newUUID } from "../uuid.js";

/** So many tasks go in one array: a server takes no more that build on each other. */
const MOST = 60;

/** A file that stays where it is: what stands in place of its bytes in code to copy. */
export class LocalFile {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }
}

/** Objects for each chosen picture: those that name EACH become one for each, with a taskUUID of its own.
 * @param {object} object @param {{name: string}[]} chosen @returns {object[]} */
export function spread(object, chosen) {
  const text = JSON.stringify(object);
  const each = JSON.stringify(EACH);
  if (!text.includes(each)) return [{ ...object, taskUUID: newUUID() }];
  return chosen.map((picture) => ({
    ...JSON.parse(text.replaceAll(each, () => JSON.stringify(`@${picture.name}`))),
    taskUUID: newUUID(),
  }));
}

/** What is sent for these objects.
 * @param {object[]} objects
 * @param {{named: (name: string) => import("./picture.js").Picture|undefined}} shelf
 * @param {"run"|"check"|"copy"} purpose only a run uploads for good; code to copy names files in place of bytes
 * @returns {Promise<{objects: object[], about: Record<string, {name: string, before: string|null}>}>} */
export async function resolved(objects, shelf, purpose) {
  const about = {};
  const given = new Map();
  const out = [];
  for (const object of objects) {
    const [first] = picturesIn(object, shelf);
    for (const picture of picturesIn(object, shelf)) {
      if (given.has(picture)) continue;
      const [value, upload] = await link(picture, object, purpose);
      given.set(picture, value);
      if (upload) {
        out.push(upload);
        about[upload.taskUUID] = { name: picture.name, before: null };
      }
    }
    about[object.taskUUID] = first ? { name: first.name, before: first.url } : parent(object, about);
    out.push(mapped(object, (text) => replaced(text, shelf, given)));
  }
  return { objects: purpose === "check" ? out.map((object) => ({ ...object, validateOnly: true })) : out, about };
}

/** The objects in arrays that a server takes, in their order. What builds on the one before stays with it.
 * @param {object[]} objects @returns {object[][]} */
export function arrays(objects) {
  const found = [[]];
  for (const object of objects) {
    const before = found.at(-1).at(-1);
    const builds = before && JSON.stringify(object).includes(before.taskUUID);
    if (found.at(-1).length >= MOST && !builds) found.push([]);
    found.at(-1).push(object);
  }
  return found;
}

/** The value that names a picture from here on, and the upload that must go before, if any. */
async function link(picture, object, purpose) {
  if (object.taskType === "imageUpload" && object.image === `@${picture.name}`)
    return uploadedBy(picture, object, purpose);
  const known = picture.uuid || picture.upload || picture.source;
  if (known) return [known, null];
  const upload = { taskType: "imageUpload", taskUUID: newUUID(), image: await bytes(picture, purpose) };
  if (purpose === "run") picture.upload = upload.taskUUID;
  return [upload.taskUUID, upload];
}

/** The object itself is the upload: it gets the bytes, and others after it its name. */
async function uploadedBy(picture, object, purpose) {
  if (!picture.file) return [picture.source || picture.uuid, null];
  object.image = await bytes(picture, purpose);
  if (purpose === "run") picture.upload = object.taskUUID;
  return [object.taskUUID, null];
}

function bytes(picture, purpose) {
  return purpose === "copy" ? new LocalFile(picture.name) : dataURI(picture);
}

/** Rejects when the file is gone or was changed since it was chosen.
 * @param {import("./picture.js").Picture} picture @returns {Promise<string>} */
function dataURI({ file, name }) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${name} cannot be read any more: choose it again.`));
    reader.readAsDataURL(file);
  });
}

function picturesIn(object, shelf) {
  const found = new Set();
  mapped(object, (text) => {
    const picture = at(text, shelf);
    if (picture) found.add(picture);
    return text;
  });
  return found;
}

/** A task that builds on another one of the array is about the same picture. */
function parent(object, about) {
  const named = [];
  mapped(object, (text) => {
    named.push(text.split("#")[0]);
    return text;
  });
  const uuid = named.find((text) => text !== object.taskUUID && about[text]);
  return uuid ? about[uuid] : { name: "", before: null };
}

function at(text, shelf) {
  return text.startsWith("@") ? shelf.named(text.slice(1)) : undefined;
}

function replaced(text, shelf, given) {
  return given.get(at(text, shelf)) ?? text;
}

/** A copy with every text within it mapped.
 * @template T @param {T} value @param {(text: string) => unknown} map @returns {T} */
export function mapped(value, map) {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((each) => mapped(each, map));
  if (value === null || typeof value !== "object" || value instanceof LocalFile) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapped(each, map)]));
}
