// SPDX-License-Identifier: Apache-2.0
// Formats numbers, ids and errors for display.

import { KIND_LABELS } from "./kinds.js";

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** A duration in its one or two largest units: 84 seconds are "1 min 24 s".
 * @param {number} seconds */
export function formatDuration(seconds) {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`;
  let rest = Math.round(seconds);
  const index = UNITS.findIndex(([, size]) => rest >= size);
  const parts = [];
  for (const [unit, size] of UNITS.slice(index, index + 2)) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number) parts.push(`${number} ${unit}`);
  }
  return parts.join(" ");
}

/** An age or an interval in its largest unit.
 * @param {number} seconds */
export function formatAge(seconds) {
  if (seconds < 60) return "under a minute";
  // Up to 1.5 of a unit, the smaller unit is more precise.
  if (seconds < 1.5 * 3600) return pluralize(Math.round(seconds / 60), "minute");
  if (seconds < 1.5 * 86400) return pluralize(Math.round(seconds / 3600), "hour");
  return pluralize(Math.round(seconds / 86400), "day");
}

const NUMBER_FORMAT = new Intl.NumberFormat();

/** A number and a noun: "1 table", "2 tables". */
export const pluralize = (number, noun) => `${NUMBER_FORMAT.format(number)} ${noun}${number === 1 ? "" : "s"}`;

/** The median of at least one number. @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A Strategy object id, shortened; any other text unchanged. @param {string} id */
export const shortenId = (id) => (/^[0-9A-F]{32}$/i.test(id) ? `${id.slice(0, 8)}…` : id);

const KIND_NAMES = Object.values(KIND_LABELS).map((label) => label.toLowerCase()).join("|");
const OBJECT_BY_ID = new RegExp(`\\b(${KIND_NAMES}) [0-9A-F]{32}\\b`, "gi");

/** The first sentence of an error, without the object's id, which its row shows. @param {string} text */
export function firstSentence(text) {
  const [line] = text.trim().split("\n");
  const end = line.search(/\. [A-Z]/);
  const first = end < 0 ? line.replace(/\.$/, "") : line.slice(0, end);
  return first.replace(OBJECT_BY_ID, "the $1");
}

// The ids and codes that end the text of an error.
const CODES = / \((?=[^()]*\b(?:HTTP \d|code |iServerCode |ticket |[0-9A-F]{32}\b))[^()]*\)\.?$/i;

/** The cause of an error and what to do, in one line: without codes, and without the object, which its row shows.
 * @param {string} text
 * @param {{kind: string, name: string}} object */
export function formatError(text, { kind, name }) {
  const label = KIND_LABELS[kind].toLowerCase();
  const line = text.trim().replace(/\s+/g, " ").replace(CODES, "").replace(OBJECT_BY_ID, "the $1");
  return (name ? line.replaceAll(`${label} ${name}`, `the ${label}`) : line)
    .replaceAll(`the the ${label}`, `the ${label}`)
    .replace(`the load of the ${label} failed: `, "");
}
