// Lets the tests use npm `wavespeed`, any version: calls in, answers out, one JSON line each (see remote.py).
// Its only argument is the folder that the client was installed into.

import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

console.log = console.info = console.debug = console.error; // what a client prints must not mix with the answers

const { Client: Wavespeed } = createRequire(join(process.argv[2], "package.json"))("wavespeed");

class Client {
  constructor({ url, key, ...options }) {
    this.wavespeed = new Wavespeed(key, { baseUrl: url, ...options });
  }

  async open() {}

  async close() {}

  async run({ model, given, sync }) {
    return (await this.wavespeed.run(model, given, { enableSyncMode: sync ?? false, pollInterval: 0.1 })).outputs;
  }

  async upload({ path }) {
    return await this.wavespeed.upload(path);
  }
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
    told = { number, failure: { kind: thrown.name, message: thrown.message, about: {} } };
  }
  say(told);
}

say({ number: 0 });
for await (const line of createInterface({ input: process.stdin })) answer(JSON.parse(line));
process.exit(0);
