// SPDX-License-Identifier: Apache-2.0
// Values of known types, from JSON that may contain anything: a DAG's arguments, an XCom, a line of a log.

/** The text of a text or a number; "" for anything else. @param {unknown} value */
export const textOf = (value) =>
  // A URL cannot contain half of a surrogate pair.
  typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\ufffd") : Number.isFinite(value) ? String(value) : "";

/** A finite number; null for anything else. @param {unknown} value
 * @returns {number | null} */
export const numberOf = (value) => (Number.isFinite(value) ? value : null);

/** An object; an empty one for anything else. @param {unknown} value
 * @returns {Record<string, unknown>} */
export const objectOf = (value) => (isObject(value) ? value : {});

/** The objects of a list; none for anything else. @param {unknown} value
 * @returns {Record<string, unknown>[]} */
export const objectsOf = (value) => (Array.isArray(value) ? value.filter(isObject) : []);

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// The last millisecond of a JavaScript date.
const LATEST = 8.64e15;

/** A moment in milliseconds since the epoch; null for anything else.
 * @param {unknown} value a date as text, or milliseconds
 * @returns {number | null} */
export function momentOf(value) {
  const moment = typeof value === "string" ? Date.parse(value) : numberOf(value);
  return Math.abs(moment) <= LATEST ? moment : null;
}

/** The address of a page that a link may open; null for anything else, such as "javascript:". @param {unknown} value
 * @returns {string | null} */
export function pageOf(value) {
  try {
    const url = new URL(textOf(value));
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
