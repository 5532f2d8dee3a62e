/** What is wrong with a value by its schema, as a sentence; the server has the last word. */

/** @param {import("./shape.js").Shape} shape
 * @param {unknown} value undefined where nothing was entered
 * @param {boolean} required
 * @returns {string} empty when nothing is wrong */
export function fault(shape, value, required) {
  if (value === undefined) return required ? "This is required." : "";
  const { schema } = shape;
  if (shape.kind === "list") return count(schema, value);
  if (typeof value === "number") return number(shape.kind, schema, value);
  return typeof value === "string" ? text(schema, value) : "";
}

function number(kind, schema, value) {
  const { minimum: least, maximum: most, exclusiveMinimum: above, multipleOf: step } = schema;
  if (kind === "integer" && !Number.isInteger(value)) return "A whole number is needed.";
  if ((least !== undefined && value < least) || (most !== undefined && value > most)) return bounds(least, most);
  if (above !== undefined && value <= above) return `It must be more than ${above}.`;
  if (step && value % step) return `It must be a multiple of ${step}.`;
  return "";
}

function bounds(least, most) {
  if (most === undefined) return `It must be at least ${least}.`;
  if (least === undefined) return `It must be at most ${most}.`;
  return `It must be from ${least} to ${most}.`;
}

function text(schema, value) {
  const { minLength: least = 0, maxLength: most = Infinity, pattern, format } = schema;
  if (value.length < least) return `At least ${least} characters are needed.`;
  if (value.length > most) return `At most ${most} characters are taken; these are ${value.length}.`;
  if (pattern && !new RegExp(pattern, "u").test(value)) {
    return format === "uuid" ? "A UUID v4 is needed." : "This does not have the right form.";
  }
  if (format === "uri" && !URL.canParse(value)) return "A whole URL is needed, with http:// or https://.";
  return "";
}

function count(schema, value) {
  const { minItems: least = 0, maxItems: most = Infinity } = schema;
  if (value.length < least) return `At least ${least === 1 ? "one is" : `${least} are`} needed.`;
  return value.length > most ? `At most ${most} are taken.` : "";
}
