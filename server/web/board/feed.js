/** The board's connection: server-sent events, read by fetch so that the key goes in a header and in no address. */

const FIRST_MS = 500;
const LAST_MS = 15_000;
const SILENT_MS = 25_000;

/** Events: `link` when its `state` has changed ("connecting", "live", "waiting" until `retryAt`, "refused" with
 * `failure`), and each event of the feed under its own name with the data as `detail`. */
export class Feed extends EventTarget {
  /** @param {() => string} key */
  constructor(key) {
    super();
    this.key = key;
    this.state = "connecting";
    this.retryAt = 0;
    this.failure = null;
    this.attempt = 0;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.hurry(); });
  }

  /** Connect, and come back whenever it is lost, until the key is refused. */
  async open() {
    this.#become("connecting");
    while (this.state !== "refused") {
      try {
        await this.#follow();
      } catch (lost) {
        if (lost instanceof Refused) {
          this.failure = lost.failure;
          this.#become("refused");
          return;
        }
      }
      await this.#pause();
    }
  }

  /** Do not wait any longer. */
  hurry() {
    this.wake?.();
  }

  async #follow() {
    const quiet = new AbortController();
    const headers = { authorization: `Bearer ${this.key()}`, accept: "text/event-stream" };
    const limit = timer(() => quiet.abort(), SILENT_MS);
    try {
      const answer = await fetch("/board/feed", { headers, cache: "no-store", signal: quiet.signal });
      if (!answer.ok) throw await refusal(answer);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", part; !(part = await reader.read()).done;) {
        limit.again();
        rest = this.#taken(rest + part.value);
      }
    } finally {
      limit.stop();
    }
  }

  /** Hand on the whole events of a text; what is left of it. */
  #taken(text) {
    const events = text.split("\n\n");
    const rest = events.pop();
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (!name || !data) continue;
      this.attempt = 0;
      this.#become("live");
      this.dispatchEvent(new CustomEvent(name, { detail: JSON.parse(data) }));
    }
    return rest;
  }

  async #pause() {
    const most = Math.min(LAST_MS, FIRST_MS * 2 ** this.attempt);
    const wait = most * (0.5 + Math.random() / 2);
    this.attempt += 1;
    this.retryAt = Date.now() + wait;
    this.#become("waiting");
    await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, wait); });
    this.#become("connecting");
  }

  #become(state) {
    if (this.state === state && state === "live") return;
    this.state = state;
    this.dispatchEvent(new Event("link"));
  }
}

class Refused extends Error {
  constructor(failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Why the feed is not given: for good (a wrong key), or for now. */
async function refusal(answer) {
  const body = await answer.json().catch(() => ({}));
  const failure = body.error ?? { code: String(answer.status), message: answer.statusText };
  return answer.status === 401 || answer.status === 403 ? new Refused(failure) : new Error(failure.message);
}

function timer(act, milliseconds) {
  let running = setTimeout(act, milliseconds);
  const stop = () => clearTimeout(running);
  return { stop, again: () => { stop(); running = setTimeout(act, milliseconds); } };
}
