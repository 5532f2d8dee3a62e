/** What a JSON Schema says of one value, in the words of a form: its kind, its limits, what stands for nothing. */

/** @typedef {object} Shape
 * @property {"image"|"enum"|"const"|"boolean"|"integer"|"number"|"text"|"loose"|"list"|"choice"|"object"|"json"} kind
 * @property {string} description
 * @property {unknown} initial what the server takes where nothing is sent; undefined where there is nothing to take
 * @property {object} schema the schema that the kind was read from, with its limits
 * @property {object} root where its references point into */

/** The shape of a schema, through references and alternatives with null.
 * @param {any} schema @param {any} root @returns {Shape} */
export function shapeOf(schema, root) {
  const found = followed(schema, root);
  const choices = alternatives(found, root);
  const only = choices.length === 1 ? choices[0] : found;
  const merged = { ...only, ...limits(schema), ...limits(found) };
  const initial = schema.default ?? found.default ?? undefined;
  const description = plain(schema.description ?? found.description ?? only.description ?? "");
  return { kind: kindOf(merged, choices), description, initial, schema: merged, root };
}

/** The members of an object's shape, in the order of the schema. Those that can only have one value are left out.
 * @param {Shape} shape @returns {{name: string, required: boolean, shape: Shape}[]} */
export function membersOf(shape) {
  const required = new Set(shape.schema.required ?? []);
  return Object.entries(shape.schema.properties ?? {})
    .map(([name, schema]) => ({ name, required: required.has(name), shape: shapeOf(schema, shape.root) }))
    .filter((member) => member.shape.kind !== "const");
}

/** The shape of what stands in a list. @param {Shape} shape */
export function itemOf(shape) {
  return shapeOf(shape.schema.items ?? {}, shape.root);
}

/** The kinds of object that a choice offers, by the word that tells them apart.
 * @param {Shape} shape @returns {Map<string, Shape>} */
export function variantsOf(shape) {
  const { mapping } = shape.schema.discriminator;
  return new Map(Object.entries(mapping).map(([word, target]) => [word, shapeOf({ $ref: target }, shape.root)]));
}

/** Parts of wire names that are not said as they are written there. */
const SAID = { air: "AIR", lora: "LoRA", ms: "(ms)", rgba: "RGBA", ttl: "TTL", vae: "VAE" };

/** A wire name as words: `outputFormat` is "Output format", `CFGScale` is "CFG scale", `rgba` is "RGBA".
 * @param {string} name */
export function words(name) {
  const parts = name.match(/[A-Z]{2,}(?=[A-Z][a-z]|\d|$)|[A-Z]?[a-z]+\d*|[A-Z]+|\d+/g) ?? [name];
  const found = parts.map((part) => (/^[A-Z]{2,}$/.test(part) ? part : said(part.toLowerCase())));
  const sentence = found.join(" ");
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function said(part) {
  return SAID[part] ?? part;
}

function followed(schema, root) {
  if (!schema.$ref) return schema;
  const target = schema.$ref
    .slice(2)
    .split("/")
    .reduce((place, part) => place[part], root);
  return { ...target, ...schema, $ref: undefined };
}

/** All that a value may be besides null, alternatives of alternatives too. */
function alternatives(schema, root) {
  if (!schema.anyOf) return [schema];
  return schema.anyOf
    .flatMap((each) => alternatives(followed(each, root), root))
    .filter((each) => each.type !== "null");
}

/** Limits that stand beside alternatives instead of within them, and under the names of the server's language. */
function limits(schema) {
  const found = {};
  const names = {
    minimum: ["minimum", "ge"],
    maximum: ["maximum", "le"],
    exclusiveMinimum: ["exclusiveMinimum", "gt"],
  };
  for (const [limit, [name, other]] of Object.entries(names)) {
    const value = schema[name] ?? schema[other];
    if (value !== undefined) found[limit] = value;
  }
  return found;
}

function kindOf(schema, choices) {
  if (choices.length > 1) {
    return choices.every((each) => each.type === "number" || each.type === "integer") ? "number" : "loose";
  }
  if (schema["x-image"]) return "image";
  if (schema.const !== undefined) return "const";
  if (schema.enum) return "enum";
  if (schema.discriminator) return "choice";
  const kinds = { boolean: "boolean", integer: "integer", number: "number", string: "text", array: "list" };
  if (schema.type === "object" && schema.properties) return "object";
  return kinds[schema.type] ?? "json";
}

/** Help without the marks that stand for code in it, on one line. */
function plain(text) {
  return text.replaceAll("`", "").replaceAll(/\s+/g, " ");
}
