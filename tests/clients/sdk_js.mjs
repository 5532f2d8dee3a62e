// Lets the tests use npm `@runware/sdk-js` 1.3.2: calls in, answers out, one JSON line each (see remote.py).
// Its only argument is the folder that the client was installed into.

import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

console.log = console.info = console.debug = console.error; // what a client prints must not mix with the answers

const sdk = join(process.argv[2], "node_modules/@runware/sdk-js");
const { main } = JSON.parse(readFileSync(join(sdk, "package.json"), "utf8"));
const { Runware } = await import(pathToFileURL(join(sdk, main)));

class Client {
  constructor({ url, key, ...options }) {
    this.options = { apiKey: key, url, ...options };
    this.pongs = 0;
  }

  async open() {
    this.runware = await Runware.initialize(this.options);
    this.runware._ws.on("message", (frame) => (this.pongs += String(frame).includes('"pong"') ? 1 : 0));
    return this.state();
  }

  async close() {
    await this.runware?.disconnect();
  }

  async state() {
    return { session: this.runware._connectionSessionUUID, pongs: this.pongs };
  }

  async upload({ image, ...members }) {
    if (image.endsWith(".png") && !image.startsWith("http"))
      image = "data:image/png;base64," + readFileSync(image).toString("base64");
    const item = await this.runware.imageUpload({ image, ...members });
    return { uuid: item.imageUUID, url: item.imageURL, task: item.taskUUID };
  }

  async store({ media }) {
    const item = await this.runware.mediaStorage({ media });
    return { uuid: item.mediaUUID, url: item.mediaURL, task: item.taskUUID };
  }

  async delete({ media }) {
    return await this.runware.mediaStorage({ operation: "delete", media });
  }

  async details({ task }) {
    return await this.runware.getTaskDetails({ taskUUID: task });
  }

  async hum({ duration, results, delivery }) {
    const asked = { model: "double:1@1", duration, numberResults: results, deliveryMethod: delivery };
    const found = await this.runware.audioInference(asked);
    return found.map((item) => ({ uuid: item.audioUUID, url: item.audioURL, task: item.taskUUID }));
  }

  // Any method of the client: its answer as it is.
  async call({ method, ...payload }) {
    return await this.runware[method](payload);
  }

  async response({ task }) {
    return await this.runware.getResponse({ taskUUID: task });
  }
}

// This client throws Errors, strings, and objects whose member `error` is the server's.
function failureOf(thrown) {
  const about = thrown?.error ?? {};
  const message = about.message ?? thrown?.message ?? String(thrown);
  return { kind: thrown instanceof Error ? thrown.name : typeof thrown, message, about };
}

const clients = new Map();

function say(told) {
  writeSync(1, JSON.stringify(told) + "\n");
}

async function answer({ number, client, verb, ...given }) {
  let told;
  try {
    if (verb === "open") clients.set(client, new Client(given));
    told = { number, value: (await clients.get(client)[verb](given)) ?? null };
  } catch (thrown) {
    told = { number, failure: failureOf(thrown) };
  }
  say(told);
}

say({ number: 0 });
for await (const line of createInterface({ input: process.stdin })) answer(JSON.parse(line));
process.exit(0);
