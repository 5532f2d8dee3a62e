/** The live board: what comes over its feed, shown; and the few things that can be done. */

import { Tasks } from "./actions.js";
import { chart } from "./chart.js";
import { Feed } from "./feed.js";
import { figures, keys, types } from "./figures.js";
import { askBoardKey, boardKey } from "./key.js";
import { gateways, workers } from "./machines.js";
import { ended, known, running } from "./tasks.js";
import { stagesLegend } from "./waterfall.js";
import { say } from "../dom.js";

const NOTICE_MS = 8000;
const at = (id) => document.getElementById(id);

const feed = new Feed(boardKey);
const tasks = new Tasks(boardKey, notice);
const parts = [
  figures(at("figures")), chart(at("chart"), at("hour-legend")), keys(at("keys")), types(at("types"), at("sample")),
  running(at("running"), at("running-count"), tasks), ended(at("ended"), tasks),
  workers(at("workers"), at("workers-count")), gateways(at("gateways"), at("webhooks")),
];
let state = null;
let paused = false;
let hiding = 0;

stagesLegend(at("stages"));
feed.addEventListener("state", ({ detail }) => { state = detail; show(); });
feed.addEventListener("tasks", ({ detail }) => { heard(detail); show(); });
feed.addEventListener("trouble", ({ detail }) => notice(`${detail.message} (${detail.code})`, true));
feed.addEventListener("link", link);
setInterval(link, 1000);
at("pause").addEventListener("click", pause);
at("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (at("search-field").value.trim()) tasks.find(at("search-field").value);
});
feed.open();

/** Show what is known now, unless somebody wants to look at it in peace. */
function show() {
  if (paused || !state) return;
  for (const part of parts) part(state);
  document.body.classList.add("known");
  say(at("as-of"), `as of ${new Date(state.at).toLocaleTimeString()}`);
  document.title = state.figures.waiting ? `${state.figures.waiting} waiting · Board` : "Board · taskarray";
}

/** How far tasks are, between two states. */
function heard(events) {
  if (!state) return;
  const rows = new Map(state.running.map((task) => [known(task), task]));
  for (const event of events) {
    const task = rows.get(known(event));
    if (task) Object.assign(task, { progress: event.progress ?? task.progress, stage: event.stage ?? task.stage });
  }
}

function pause() {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  say(at("pause"), paused ? "Go on" : "Pause");
  document.body.classList.toggle("paused", paused);
  link();
  show();
}

/** The connection, in a word. A refused key is asked for again. */
function link() {
  const left = Math.max(0, Math.ceil((feed.retryAt - Date.now()) / 1000));
  const [word, tone] = {
    connecting: ["connecting", "busy"],
    live: paused ? ["paused", "warn"] : ["live", "good"],
    waiting: [left ? `reconnecting in ${left} s` : "reconnecting", "warn"],
    refused: ["no access", "bad"],
  }[feed.state];
  say(at("link"), word);
  at("link").className = `chip ${tone}`;
  document.body.classList.toggle("stale", feed.state !== "live");
  if (feed.state === "refused" && feed.failure) ask();
}

async function ask() {
  const { message } = feed.failure;
  feed.failure = null;
  const key = await askBoardKey(boardKey() ? message : "The board needs a key with the scope dash.");
  if (key) feed.open();
  else notice("Without a key there is nothing to see here. Reload the page to be asked again.", true);
}

/** Say something for a while. @param {string} text @param {boolean} [bad] */
function notice(text, bad = false) {
  say(at("notice"), text);
  at("notice").classList.toggle("bad", bad);
  at("notice").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { at("notice").hidden = true; }, NOTICE_MS);
}
