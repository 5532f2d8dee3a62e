/** The playground: who tells whom. Each part knows its own work only. */

import { Announcer } from "./announcer.js";
import { saveAll } from "../results/archive.js";
import "../form/composer.js";
import { TaskSocket } from "../wire/connection.js";
import { openCopy } from "../form/copy.js";
import { Deck } from "./deck.js";
import { Drawer } from "../pictures/drawer.js";
import { el } from "../dom.js";
import "./frame-log.js";
import { Frames } from "../wire/frames.js";
import { keeper, remembered } from "../wire/keeping.js";
import { askKey, currentKey } from "../key.js";
import "../pictures/pictures.js";
import "./pill.js";
import { resolved } from "../pictures/references.js";
import { downloads } from "../results/results.js";
import { TaskList } from "../wire/tasks.js";
import { UsualTimes } from "../wire/usual.js";
import { newUUID } from "../uuid.js";
import { fillWelcome } from "./welcome.js";

const LEARN_AGAIN = 2000;
const kept = remembered();
const at = (id) => document.getElementById(id);

const socket = new TaskSocket({
  url: `${location.origin.replace(/^http/, "ws")}/v1`,
  key: currentKey(),
  features: ["events"],
  session: kept.session,
});
const usual = new UsualTimes(kept.usual);
const tasks = new TaskList(socket, usual, kept.entries);
const frames = new Frames();
const keep = keeper(() => ({ session: socket.session, entries: tasks.kept(), usual: usual.known }));
const announcer = new Announcer(at("said"));
const shelf = el("picture-shelf", { id: "shelf" });
const composer = el("task-composer", { id: "composer", shelf });
const log = el("frame-log", { frames });
const drawer = new Drawer();

/** A key from whoever sits here, then a connection. */
async function connect(reason) {
  const key = reason ? await askKey(reason) : currentKey();
  if (!key) return;
  if (key !== socket.key) {
    socket.session = "";
    tasks.leave();
    shelf.forgetAll();
  }
  socket.key = key;
  socket.open();
}

function follow() {
  socket.addEventListener("frame", ({ detail }) => frames.add(detail));
  socket.addEventListener("ready", keep);
  socket.addEventListener("state", () => {
    announcer.connection(socket.state);
    if (socket.state === "refused") connect(socket.reason);
  });
  for (const type of ["added", "change", "removed"]) tasks.addEventListener(type, keep);
  tasks.addEventListener("removed", release);
  shelf.addEventListener("change", release);
  for (const type of ["change", "learned"]) shelf.addEventListener(type, () => drawer.keep(shelf.pictures));
  tasks.addEventListener("change", ({ detail }) => changed(tasks.entries.get(detail.uuid)));
  addEventListener("hashchange", () => location.hash.includes("key=") && connect());
}

/** Pictures that nothing shows any more need not stay in memory. */
function release() {
  shelf.release(new Set([...tasks.entries.values()].map(({ before }) => before)));
}

const ended = new WeakSet();

/** Once for each task that has ended. */
function changed(entry) {
  if (!entry.ended || ended.has(entry)) return;
  ended.add(entry);
  if (!entry.aside || entry.failures.length) announcer.ended(entry);
  showButtons();
  settle(entry);
  if (entry.state === "failed") composer.refuse(entry.taskType, entry.failures);
}

/** The pictures that were here before a reload are here again. */
async function restore() {
  shelf.put(await drawer.taken());
}

/** What the shelf learns of a task: under which UUID the server has a picture, or that it has lost it. */
function settle({ uuid, taskType, items: [item], failures: [failure], object }) {
  if (taskType === "imageUpload" && item?.imageUUID) shelf.uploaded(uuid, item.imageUUID);
  else if (taskType === "imageUpload") shelf.forget(uuid);
  else if (failure?.code === "mediaNotFound") shelf.forget(object.inputImage);
}

/** Put a picture on the shelf and cut it out. */
async function tryOut(sample) {
  const [picture] = await shelf.add(sample);
  if (!picture) return;
  const object = {
    taskType: "removeBackground",
    taskUUID: newUUID(),
    inputImage: `@${picture.name}`,
    includeReceipt: true,
  };
  const { objects, about } = await resolved([object], shelf, "run");
  tasks.submit(objects, about);
}

/** A picture may be let go of anywhere on the page: without this the browser would leave the page for it. */
function takeDrops() {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.defaultPrevented) shelf.come(event.dataTransfer);
    event.preventDefault();
  });
}

/** What task types there are. A server that is about to start knows soon. */
async function learn() {
  try {
    composer.catalog = await (await fetch("/schemas.json")).json();
  } catch {
    setTimeout(learn, LEARN_AGAIN);
  }
}

function showButtons() {
  const all = [...tasks.entries.values()];
  at("welcome").hidden = all.some(({ aside }) => !aside);
  at("clear-all").hidden = !all.some((entry) => entry.ended);
  at("save-all").hidden = !all.some((entry) => entry.state === "done" && !entry.aside);
}

async function saveResults() {
  at("told").textContent = "";
  try {
    await saveAll(downloads(tasks.entries.values()));
  } catch (failure) {
    at("told").textContent = failure.message;
  }
}

/** Where the results stand below the form, what was just sent would be out of sight. */
function showResults() {
  if (matchMedia("(max-width: 62rem)").matches) at("results").scrollIntoView();
}

/** What the parts of the page ask for. */
const requests = {
  submit: ({ objects, about }) => {
    tasks.submit(objects, about);
    showResults();
  },
  "use-picture": (picture) => shelf.add(picture),
  "cancel-task": ({ uuid }) => tasks.cancel(uuid),
  "rerun-task": ({ uuid }) => tasks.rerun(uuid),
  "edit-task": ({ uuid }) => composer.fill([{ ...tasks.entries.get(uuid).object, taskUUID: newUUID() }]),
  "copy-task": ({ uuid }) => openCopy([tasks.entries.get(uuid).object]),
  "task-frames": ({ uuid }) => log.show(uuid),
  "change-key": () => connect("Another key for this page. It does not see what is under way with the present one."),
};

function assemble() {
  document.querySelector(".top .end").append(el("connection-pill", { socket }));
  at("compose").append(shelf, composer);
  at("log").append(log);
  for (const [type, act] of Object.entries(requests)) {
    document.addEventListener(type, (event) => event.detail && typeof event.detail === "object" && act(event.detail));
  }
  at("clear-all").addEventListener("click", () => tasks.clear());
  at("save-all").addEventListener("click", saveResults);
  fillWelcome(at("welcome"), tryOut);
  new Deck(at("cards"), tasks, showButtons);
  showButtons();
}

follow();
assemble();
takeDrops();
restore();
connect(currentKey() ? "" : "This server wants to know who is asking.");
learn();
