/** UUIDs for tasks. Browsers make them by themselves only where a page came over a safe connection, and this one also
 * comes over plain HTTP from a machine nearby. */

/** A UUID v4 that was never used. @returns {string} */
export function newUUID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
