/** Where a text stops being JSON, and what was expected there: browsers do not all say. */

/** @param {string} text that JSON.parse refuses
 * @returns {{line: number, column: number, message: string}} */
export function jsonFault(text) {
  try {
    const scanner = new Scanner(text);
    scanner.value();
    scanner.end();
  } catch (fault) {
    if (!(fault instanceof Fault)) return { line: 1, column: 1, message: "This is nested too deeply." };
    const lines = text.slice(0, fault.position).split("\n");
    return { line: lines.length, column: lines.at(-1).length + 1, message: fault.message };
  }
  return { line: 1, column: 1, message: "This is not JSON." };
}

class Fault extends Error {
  constructor(position, message) {
    super(message);
    this.position = position;
  }
}

const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

class Scanner {
  constructor(text) {
    this.text = text;
    this.position = 0;
  }

  value() {
    const next = this.peek();
    if (next === "{") this.list("}", () => this.member());
    else if (next === "[") this.list("]", () => this.value());
    else if (next === '"') this.word();
    else
      this.take(PLAIN) ||
        this.fail("A value is needed here: text in double quotes, a number, true, false, null, [ or {.");
  }

  list(close, item) {
    this.position += 1;
    if (this.peek() === close) {
      this.position += 1;
      return;
    }
    for (;;) {
      item();
      const next = this.peek();
      if (next !== "," && next !== close) this.fail(`A comma or ${close} is needed here.`);
      this.position += 1;
      if (next === close) return;
      if (this.peek() === close) this.fail(`There must be no comma before ${close}.`);
    }
  }

  member() {
    if (this.peek() !== '"') this.fail("A name in double quotes is needed here.");
    this.word();
    if (this.peek() !== ":") this.fail("A colon is needed after the name.");
    this.position += 1;
    this.value();
  }

  word() {
    this.take(TEXT) || this.fail("This text has no end, or a character in it that must be escaped.");
  }

  end() {
    if (this.peek() !== undefined) this.fail("Nothing may follow here.");
  }

  peek() {
    this.take(SPACE);
    return this.text[this.position];
  }

  take(pattern) {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (found) this.position += found[0].length;
    return found !== null;
  }

  fail(message) {
    throw new Fault(this.position, this.position >= this.text.length ? `The text ends too early. ${message}` : message);
  }
}
