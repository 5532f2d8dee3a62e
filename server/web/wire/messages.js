/** What goes over the wire about tasks: which objects go in one message, and what an answer is. */

/** Bytes of one message: an array of many pictures goes in several. */
const MESSAGE = 8_000_000;

/** The uploads of an array that its other tasks build on: of interest only if they fail.
 * @param {object[]} objects @returns {Set<object>} */
export function steps(objects) {
  const uploads = objects.filter(({ taskType }) => taskType === "imageUpload");
  const others = JSON.stringify(objects.filter((object) => !uploads.includes(object)));
  return new Set(uploads.filter(({ taskUUID }) => others.includes(`"${taskUUID}"`)));
}

/** Asks how a task stands. @param {{uuid: string}} entry */
export function question({ uuid }) {
  return { taskType: "getResponse", taskUUID: uuid };
}

/** An answer with nothing in it says that the task was taken. */
export function acknowledged(item) {
  return Object.keys(item).every((name) => name === "taskType" || name === "taskUUID");
}

/** The objects in as few messages as their size allows, in their order: a task may build on those before it. */
export function parts(objects) {
  const found = [];
  let room = 0;
  for (const object of objects) {
    const bytes = JSON.stringify(object).length;
    if (bytes > room) {
      found.push([]);
      room = MESSAGE;
    }
    found.at(-1).push(object);
    room -= bytes;
  }
  return found;
}
