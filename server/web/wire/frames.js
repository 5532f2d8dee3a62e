/** The frame log's memory: the newest frames of this page, both ways, with the bytes of pictures cut short. It is
 * bounded in number and in size, whatever passes. */

import { shortened } from "./shorten.js";

const MOST = 500;
const MOST_LETTERS = 4_000_000;
const LONG = 200;

/** @typedef {{number: number, at: number, direction: "in"|"out", size: number, label: string, kind: string,
 *   uuids: string[], text: string, quiet: boolean}} Frame `quiet`: a ping or its pong */

export class Frames {
  /** Oldest first. @type {Frame[]} */ kept = [];
  /** All that have passed. */ count = 0;
  paused = false;
  /** Called after each change. @type {() => void} */ changed = () => {};
  #letters = 0;

  /** @param {{direction: "in"|"out", at: number, size: number, json: any}} passed */
  add({ direction, at, size, json }) {
    this.count += 1;
    if (this.paused) return this.changed();
    const text = JSON.stringify(shortened(json, LONG).value);
    this.#letters += text.length;
    this.kept.push({ number: this.count, at, direction, size, text, ...described(json) });
    while (this.kept.length > MOST || this.#letters > MOST_LETTERS) this.#letters -= this.kept.shift().text.length;
    this.changed();
  }

  clear() {
    this.kept = [];
    this.#letters = 0;
    this.changed();
  }

  /** One JSON document a line. */
  ndjson() {
    const lines = this.kept.map(
      ({ at, direction, size, text }) =>
        `{"at":"${new Date(at).toISOString()}","direction":"${direction}","bytes":${size},"frame":${text}}\n`,
    );
    return new Blob(lines, { type: "application/x-ndjson" });
  }
}

/** What a frame is, in a few words, and about which tasks. */
function described(json) {
  const [kind, parts] = Array.isArray(json) ? ["tasks", json] : Object.entries(json)[0];
  const all = [parts].flat();
  const uuids = [...new Set(all.map((part) => part.taskUUID).filter(Boolean))];
  const quiet = all.every((part) => part.taskType === "ping");
  return { kind, uuids, quiet, label: `${worded(kind, all[0])}${all.length > 1 ? ` and ${all.length - 1} more` : ""}` };
}

function worded(kind, part) {
  if (kind === "errors") return `${part.code ?? "error"}${part.taskType ? ` (${part.taskType})` : ""}`;
  if (kind !== "events") return part.taskType ?? "?";
  const progress = part.progress === undefined ? "" : ` ${part.progress} %`;
  return `${part.type} ${part.state ?? ""}${progress}`;
}
