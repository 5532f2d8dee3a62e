/** Where a task's time went, as a small waterfall: one stage after the other, and the way there and back. */

import { duration, el } from "../dom.js";

const STAGES = [
  ["queuedMs", "queued"],
  ["fetchMs", "fetch"],
  ["decodeMs", "decode"],
  ["runMs", "run"],
  ["encodeMs", "encode"],
  ["storeMs", "store"],
];

/** The stages of a receipt in their order, with what lies between the server's total and the time seen here.
 * @param {object} receipt @param {number} elapsed milliseconds from the sending to the answer */
function stages(receipt, elapsed) {
  const found = STAGES.map(([member, name]) => ({ name, took: receipt[member] ?? 0 }));
  const told = found.reduce((sum, { took }) => sum + took, 0);
  found.push({ name: "other", took: Math.max(0, (receipt.totalMs ?? told) - told) });
  found.push({ name: "network", took: Math.max(0, elapsed - (receipt.totalMs ?? told)) });
  return found;
}

/** One line: the total, and the stages that took most of it. */
export function finalLine(receipt, elapsed) {
  const parts = stages(receipt, elapsed)
    .filter(({ took }) => took >= elapsed / 12)
    .sort((a, b) => b.took - a.took);
  return parts
    .slice(0, 3)
    .map(({ name, took }) => `${name} ${duration(took)}`)
    .join(", ");
}

/** @param {object} receipt @param {number} elapsed */
export function waterfall(receipt, elapsed) {
  const found = stages(receipt, elapsed);
  const total = Math.max(
    1,
    found.reduce((sum, { took }) => sum + took, 0),
  );
  let start = 0;
  const rows = found.map(({ name, took }) => {
    const bar = el("span", { className: `bar ${name}` });
    bar.style.marginInlineStart = `${(start / total) * 100}%`;
    bar.style.width = `${(took / total) * 100}%`;
    start += took;
    return el(
      "tr",
      {},
      el("th", { scope: "row", textContent: name }),
      el("td", { className: "track" }, bar),
      el("td", { className: "number", textContent: took ? duration(took) : "–" }),
    );
  });
  return el(
    "table",
    { className: "waterfall" },
    el("caption", { className: "only-heard", textContent: "Where the time went" }),
    el("tbody", {}, ...rows),
    foot(receipt),
  );
}

function foot(receipt) {
  const bytes = (list) => list?.reduce((sum, part) => sum + part.bytes, 0);
  const facts = [
    receipt.worker && `worker ${receipt.worker}`,
    receipt.attempt > 1 && `attempt ${receipt.attempt}`,
    receipt.model && `model ${receipt.model}`,
    bytes(receipt.inputs) && `${bytes(receipt.inputs).toLocaleString("en")} bytes in`,
    bytes(receipt.outputs) && `${bytes(receipt.outputs).toLocaleString("en")} bytes out`,
  ].filter(Boolean);
  return el("tfoot", {}, el("tr", {}, el("td", { colSpan: 3, className: "soft", textContent: facts.join(" · ") })));
}
