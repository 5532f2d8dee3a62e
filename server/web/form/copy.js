/** The same tasks as code to paste: complete programs that run against this server as they are. A picture that lies on
 * this computer only is read by them from a file of its name beside them. */

import { copyText } from "../clipboard.js";
import { el } from "../dom.js";
import { currentKey } from "../key.js";
import { LocalFile, mapped } from "../pictures/references.js";
import { tabs } from "./tabs.js";
import { newUUID } from "../uuid.js";

/** Task types for which the JavaScript client has a method that sends every member as it is, and that method. */
const METHODS = {
  imageUpload: "imageUpload",
  removeBackground: "removeBackground",
  upscale: "upscale",
  vectorize: "vectorize",
  controlNetPreprocess: "controlNetPreprocess",
  imageMasking: "imageMasking",
  imageInference: "imageInference",
  mediaStorage: "mediaStorage",
  modelSearch: "modelSearch",
};
const HIDDEN = "YOUR_API_KEY";
/** Longer texts are bytes of a picture. */
const LONG = 2000;

/** @param {object[]} given task objects, with a LocalFile where bytes of a picture stand
 * @param {{origin: string, key?: string}} server
 * @returns {{curl: string, python: string, javascript: string}} */
export function texts(given, { origin, key = HIDDEN }) {
  const objects = withFiles(given);
  const told = { origin, key, socket: `${origin.replace(/^http/, "ws")}/v1` };
  const fresh = () => renewed(objects);
  return { curl: curl(fresh(), told), python: python(fresh(), told), javascript: javascript(fresh(), told) };
}

/** The objects under taskUUIDs that were never used, and that no other code uses: each may be changed and run. */
function renewed(objects) {
  const names = new Map(objects.map(({ taskUUID }) => [taskUUID, newUUID()]));
  return mapped(objects, (text) => {
    const [uuid, ...rest] = text.split("#");
    return names.has(uuid) ? [names.get(uuid), ...rest].join("#") : text;
  });
}

/** A dialog with the code. @param {object[]} objects */
export function openCopy(objects) {
  const box = el("input", { type: "checkbox", id: "copy-key", onchange: () => show() });
  const panels = Object.fromEntries(
    ["curl", "Python", "JavaScript"].map((name) => [name, el("pre", { tabIndex: 0, "aria-label": name })]),
  );
  const row = tabs("Language", panels, () => {
    done.textContent = "Copy";
  });
  const done = el("button", { type: "button", className: "primary", textContent: "Copy", onclick: () => copied() });
  const withKey = el("label", { htmlFor: box.id, className: "row grow" }, box, "With my API key");
  const dialog = el(
    "dialog",
    { className: "copy", "aria-label": "Copy as code", onclose: () => dialog.remove() },
    head(() => dialog.close()),
    row.element,
    ...Object.values(panels),
    files(objects),
    el("div", { className: "row" }, withKey, done),
  );

  function show() {
    const found = texts(objects, { origin: location.origin, key: box.checked ? currentKey() : HIDDEN });
    Object.values(panels).forEach((panel, place) => {
      panel.textContent = Object.values(found)[place];
    });
  }

  async function copied() {
    done.textContent = await copyText(panels[row.current()]);
  }

  show();
  document.body.append(dialog);
  dialog.showModal();
}

function head(close) {
  return el(
    "div",
    { className: "row" },
    el("h2", { className: "grow", textContent: "Copy as code" }),
    el("button", { type: "button", className: "quiet", textContent: "✕", "aria-label": "Close", onclick: close }),
  );
}

function files(objects) {
  const names = [...new Set(filesIn(withFiles(objects)))];
  return (
    names.length > 0 &&
    el("p", { className: "help", textContent: `It reads ${names.join(", ")} from the folder that it runs in.` })
  );
}

function filesIn(value) {
  if (value instanceof LocalFile) return [value.name];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(filesIn) : [];
}

/** Objects with files in place of bytes. */
function withFiles(objects) {
  return mapped(objects, (text) =>
    text.length > LONG && !text.includes(" ") ? new LocalFile(`picture.${ending(text)}`) : text,
  );
}

function ending(bytes) {
  return /^data:image\/([a-z]+)/.exec(bytes)?.[1].replace("jpeg", "jpg") ?? "jpg";
}

const PYTHON = new Map([
  [true, "True"],
  [false, "False"],
  [null, "None"],
]);

/** A value as the language writes it: in most it is JSON, with an expression where a file stands.
 * @param {(name: string) => string} file @param {Map<unknown, string>} [own] what is not written as in JSON */
function written(value, file, indent = "", own = new Map()) {
  if (value instanceof LocalFile) return file(value.name);
  if (value === null || typeof value !== "object") return own.get(value) ?? JSON.stringify(value);
  const deeper = `${indent}  `;
  const list = Array.isArray(value);
  const parts = list
    ? value.map((each) => written(each, file, deeper, own))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${written(each, file, deeper, own)}`);
  const line = parts.join(", ");
  const [open, close] = list ? "[]" : "{}";
  if (line.length + indent.length < 90 && !line.includes("\n")) return `${open}${line}${close}`;
  return `${open}\n${deeper}${parts.join(`,\n${deeper}`)}\n${indent}${close}`;
}

function curl(objects, { origin, key }) {
  const names = filesIn(objects);
  const head = `curl ${origin}/v1 \\\n  -H 'Authorization: Bearer ${key}' \\\n  -H 'Content-Type: application/json' \\\n  --data-binary @- <<`;
  if (!names.length) return `${head}'JSON'\n${written(objects, String)}\nJSON\n`;
  // Without quotes around its end mark the shell puts the files in; then what else it would expand is escaped.
  const marks = names.map((name) => `"$(base64 < '${name.replaceAll("'", String.raw`'\''`)}' | tr -d '\\n')"`);
  let place = 0;
  const body = written(objects, () => "\u0000")
    .replaceAll(/[\\$`]/g, String.raw`\$&`)
    .replaceAll("\u0000", () => marks[place++]);
  return `${head}JSON\n${body}\nJSON\n`;
}

function python(objects, { origin, key, socket }) {
  const reads = filesIn(objects).length > 0;
  const body = written(objects.map(asked), (name) => `file_to_data_uri(${JSON.stringify(name)})`, "", PYTHON);
  return `# pip install runware-sdk
import asyncio

from runware import Runware${reads ? ", file_to_data_uri" : ""}

tasks = ${body}


async def main():
    async with Runware(api_key=${JSON.stringify(key)}, ws_base_url=${JSON.stringify(socket)}, http_base_url="${origin}/v1") as client:
        for task in tasks:
            for item in await client.run(task):
                print(item)


asyncio.run(main())
`;
}

function javascript(objects, { origin, key, socket }) {
  const reads = filesIn(objects).length > 0;
  const file = (name) => `readFileSync(${JSON.stringify(name)}, "base64")`;
  const imported = reads ? 'import { readFileSync } from "node:fs";\n' : "";
  if (!objects.every((object) => METHODS[object.taskType])) return plain(written(objects, file), imported, origin, key);
  const calls = objects
    .map(asked)
    .map(
      ({ taskType, ...rest }) => `    console.log(await client.${METHODS[taskType]}(${written(rest, file, "    ")}));`,
    );
  return `// npm i @runware/sdk-js; save it as tasks.mjs, and run it with node tasks.mjs
${imported}import { Runware } from "@runware/sdk-js";

async function main() {
  const client = await Runware.initialize({ apiKey: ${JSON.stringify(key)}, url: ${JSON.stringify(socket)} });
  try {
${calls.join("\n")}
  } finally {
    await client.disconnect();
  }
}

main();
`;
}

/** Over HTTP, for what the client has no method for. */
function plain(body, imported, origin, key) {
  return `// @runware/sdk-js has no method for all of these task types; over HTTP they need no client.
// Save it as tasks.mjs, and run it with node tasks.mjs.
${imported}
const tasks = ${body};

async function main() {
  const answer = await fetch("${origin}/v1", {
    method: "POST",
    headers: { authorization: ${JSON.stringify(`Bearer ${key}`)}, "content-type": "application/json" },
    body: JSON.stringify(tasks),
  });
  console.log(JSON.stringify(await answer.json(), null, 2));
}

main();
`;
}

/** As a client is given it: it waits for an answer to every task, and makes the taskUUIDs that nothing else names. */
function asked(object, _, objects) {
  const { returnOutput, ...said } = object;
  const { taskUUID, ...unnamed } = said;
  const named = objects.some((other) => other !== object && JSON.stringify(other).includes(taskUUID));
  return named ? said : unnamed;
}
