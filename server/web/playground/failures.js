/** What went wrong with a task, in a form that helps: code, parameter, sentence, cause, and what to do now. */

import { el, prose } from "../dom.js";
import { words } from "../form/shape.js";

const SHOWN = new Set(["code", "message", "parameter", "taskType", "taskUUID", "cause", "status"]);

/** What to do, beyond what the sentence of the server says. The first that fits counts. */
const ADVICE = [
  [/^rateLimitExceeded$/, "Send it again after the time above, or raise the limits of this key."],
  [
    /^(downloadFailed|internalServerError|processingFailed|serviceUnavailable|uploadFailed|responseTimeout)$/,
    "Run it again: trying again may help.",
  ],
  [/^(taskTimeout|deadlineExceeded)$/, "Run it again, with a smaller picture or more time."],
  [/^dependencyFailed$/, "Mend the task that failed first, then send both as new tasks."],
  [/^taskCancelled$/, "Run it again if you want its result after all."],
  [/^(taskNotFound|taskExpired|conflictTaskUUID)$/, "Run it again: it gets a new taskUUID."],
  [/^(mediaNotFound|invalidImageURL|unsupportedImageFormat)$/, "Choose another picture, or upload this one again."],
  [/^(valueTooLarge|maxRequestSizeExceeded)$/, "Send less at once, or raise the setting that the sentence names."],
  [/^modelNotFound$/, "Put the file where the sentence says, or leave “model” out."],
  [/^(invalid|missing|unknown)/, "Change the parameter named here and run it again."],
];

/** @param {object[]} failures as they came over the wire */
export function failureList(failures) {
  return el("ul", { className: "failures" }, ...failures.map(one));
}

function one(failure) {
  const head = el("div", { className: "row" }, el("code", { className: "code", textContent: failure.code }));
  if (failure.parameter)
    head.append(el("span", { className: "soft" }, "parameter ", el("code", { textContent: failure.parameter })));
  return el(
    "li",
    {},
    head,
    el("p", {}, prose(failure.message)),
    details(failure),
    cause(failure.cause),
    advice(failure.code),
  );
}

function details(failure) {
  const more = Object.entries(failure).filter(([name]) => !SHOWN.has(name));
  if (!more.length) return null;
  const parts = more.flatMap(([name, value]) => [
    el("dt", { textContent: name === "retryAfter" ? "Try again after" : words(name) }),
    el("dd", { className: "mono", textContent: name === "retryAfter" ? `${value} s` : text(value) }),
  ]);
  return el("dl", {}, ...parts);
}

function text(value) {
  return Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function cause(found) {
  if (!found) return null;
  const told = typeof found === "object" ? `${found.code}: ${found.message}` : String(found);
  return el("p", {}, el("strong", { textContent: "Cause: " }), prose(told));
}

function advice(code) {
  const [, sentence] = ADVICE.find(([pattern]) => pattern.test(code)) ?? [];
  return sentence && el("p", { className: "advice" }, el("strong", { textContent: "What to do: " }), sentence);
}
