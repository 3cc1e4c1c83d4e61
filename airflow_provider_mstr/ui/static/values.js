// SPDX-License-Identifier: Apache-2.0
// Converts JSON of any form (task arguments, XComs, log lines) to values of known types.

/** The text of a string or a number; "" for anything else. @param {unknown} value */
export const toText = (value) =>
  // A URL cannot contain half of a surrogate pair.
  typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\ufffd") : Number.isFinite(value) ? String(value) : "";

/** A finite number; null for anything else. @param {unknown} value
 * @returns {number | null} */
export const toNumber = (value) => (Number.isFinite(value) ? value : null);

/** An object; an empty one for anything else. @param {unknown} value
 * @returns {Record<string, unknown>} */
export const toObject = (value) => (isObject(value) ? value : {});

/** The objects of an array; none for anything else. @param {unknown} value
 * @returns {Record<string, unknown>[]} */
export const toObjects = (value) => (Array.isArray(value) ? value.filter(isObject) : []);

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The last millisecond of a JavaScript date.
const MAX_TIMESTAMP = 8.64e15;

/** A timestamp in milliseconds since the epoch; null for anything else.
 * @param {unknown} value an ISO date, or milliseconds
 * @returns {number | null} */
export function toTimestamp(value) {
  const timestamp = typeof value === "string" ? Date.parse(value) : toNumber(value);
  return timestamp !== null && Math.abs(timestamp) <= MAX_TIMESTAMP ? timestamp : null;
}

/** An HTTP URL; null for anything else, such as "javascript:". @param {unknown} value
 * @returns {string | null} */
export function toWebUrl(value) {
  try {
    const url = new URL(toText(value));
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
