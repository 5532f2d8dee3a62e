// What one would otherwise write by hand: image uploads over a WebSocket, with ws, sharp and ioredis.
// One process a core. An image within the cap is checked by decoding it and kept as it came; a larger one is
// turned upright and made smaller. The file is written and renamed, its record lives in Redis for 30 days.
// It keeps no queue, no sessions and no results: a task under way when a process dies is gone.

import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

import { Redis } from "ioredis";
import sharp from "sharp";
import { WebSocketServer } from "ws";

const { PORT, REDIS_SOCKET, DATA, API_KEY, PROCESSES } = process.env;
const CAP = 2048;
const TTL_SECONDS = 30 * 24 * 3600;
const ENCODERS = {
  jpeg: { quality: 90 },
  png: { compressionLevel: 3 },
  webp: { quality: 90, effort: 2 },
};

if (cluster.isPrimary) {
  await mkdir(DATA, { recursive: true });
  let listening = 0;
  cluster.on("listening", () => {
    listening += 1;
    if (listening === Number(PROCESSES)) console.log("ready");
  });
  cluster.on("exit", () => cluster.fork());
  process.on("SIGTERM", () => process.exit(0));
  for (let i = 0; i < Number(PROCESSES); i += 1) cluster.fork();
} else {
  serve();
}

function serve() {
  sharp.concurrency(1);
  sharp.cache(false);
  const redis = new Redis(REDIS_SOCKET);
  const http = createServer((_, response) => response.end("ok"));
  const sockets = new WebSocketServer({ server: http, path: "/v1", maxPayload: 64 * 2 ** 20 });
  sockets.on("connection", (socket) => converse(socket, redis));
  setInterval(() => endSilent(sockets), 20_000).unref();
  http.listen(Number(PORT), "127.0.0.1");
}

function endSilent(sockets) {
  for (const socket of sockets.clients) {
    if (!socket.alive) socket.terminate();
    socket.alive = false;
    socket.ping();
  }
}

function converse(socket, redis) {
  socket.alive = true;
  socket.tenant = null;
  socket.on("error", () => socket.terminate());
  socket.on("pong", () => {
    socket.alive = true;
  });
  socket.on("message", (message) => {
    let tasks;
    try {
      tasks = JSON.parse(message);
    } catch {
      fail(socket, {}, "invalidRequest", "Send a JSON array of task objects.");
      return;
    }
    for (const task of tasks) perform(socket, redis, task);
  });
}

async function perform(socket, redis, task) {
  try {
    if (task.taskType === "authentication") {
      authenticate(socket, task);
    } else if (!socket.tenant) {
      fail(socket, task, "invalidApiKey", "Authenticate first.");
    } else if (task.taskType === "imageUpload") {
      send(socket, { data: [{ ...named(task), ...(await upload(redis, socket.tenant, task)) }] });
    } else if (task.taskType === "ping") {
      send(socket, { data: [{ taskType: "ping", pong: true }] });
    } else {
      fail(socket, task, "unsupportedTaskType", "Only imageUpload is known here.");
    }
  } catch (error) {
    fail(socket, task, "invalidImage", error.message);
  }
}

function authenticate(socket, task) {
  if (task.apiKey !== API_KEY) {
    fail(socket, task, "invalidApiKey", "The API key was not accepted.");
    return;
  }
  socket.tenant = "bench";
  send(socket, { data: [{ taskType: "authentication", connectionSessionUUID: randomUUID() }] });
}

async function upload(redis, tenant, task) {
  const comma = task.image.startsWith("data:") ? task.image.indexOf(",") + 1 : 0;
  const bytes = Buffer.from(comma ? task.image.slice(comma) : task.image, "base64");
  task.image = undefined;
  const stored = await admit(bytes);
  const uuid = randomUUID();
  const file = `${uuid}.${stored.format}`;
  const part = join(DATA, `${file}.part`);
  await writeFile(part, stored.bytes);
  await rename(part, join(DATA, file));
  const record = { file, width: stored.width, height: stored.height, bytes: stored.bytes.length };
  await redis.set(`image:${tenant}:${uuid}`, JSON.stringify(record), "EX", TTL_SECONDS);
  return { imageUUID: uuid, imageURL: `http://127.0.0.1:${PORT}/im/${file}` };
}

async function admit(bytes) {
  const options = { failOn: "truncated", limitInputPixels: 1e9 };
  const { format, width, height, orientation = 1 } = await sharp(bytes, options).metadata();
  if (!(format in ENCODERS)) throw new Error("Send JPEG, PNG or WebP.");
  if (width <= CAP && height <= CAP && orientation === 1) {
    // Every byte is read, at an eighth of the size where the format allows it.
    await sharp(bytes, options).resize(Math.ceil(width / 8)).raw().toBuffer();
    return { bytes, format, width, height };
  }
  const { data, info } = await sharp(bytes, options)
    .rotate()
    .resize({ width: CAP, height: CAP, fit: "inside", withoutEnlargement: true })
    .toFormat(format, ENCODERS[format])
    .toBuffer({ resolveWithObject: true });
  return { bytes: data, format, width: info.width, height: info.height };
}

function named({ taskType, taskUUID }) {
  return { taskType, taskUUID };
}

function send(socket, frame) {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
}

function fail(socket, task, code, message) {
  send(socket, { errors: [{ ...named(task), code, message }] });
}
