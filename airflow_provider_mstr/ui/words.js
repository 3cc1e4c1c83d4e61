// SPDX-License-Identifier: Apache-2.0
// Numbers as a person says them.

const STEPS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** A time span in its one or two largest units: "84 s" is "1 min 24 s".
 * @param {number} seconds */
export function span(seconds) {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)} s`;
  let left = Math.round(seconds);
  const index = STEPS.findIndex(([, size]) => left >= size);
  const said = [];
  for (const [unit, size] of STEPS.slice(index, index + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) said.push(`${count} ${unit}`);
  }
  return said.join(" ");
}

/** A time span in its largest unit, for an age that is read at a glance.
 * @param {number} seconds */
export function roughly(seconds) {
  if (seconds < 60) return "under a minute";
  // Up to one and a half of a unit the smaller one says more.
  if (seconds < 1.5 * 3600) return count(Math.round(seconds / 60), "minute");
  if (seconds < 1.5 * 86400) return count(Math.round(seconds / 3600), "hour");
  return count(Math.round(seconds / 86400), "day");
}

/** A count of things: "1 table", "2 tables". */
export const count = (many, thing) => `${many.toLocaleString()} ${thing}${many === 1 ? "" : "s"}`;

/** The middle of some numbers. @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** An id, shortened where it is one of Strategy's. @param {string} id */
export const short = (id) => (/^[0-9A-F]{32}$/i.test(id) ? `${id.slice(0, 8)}…` : id);

/** The first sentence of an error, for a row of a table, which tells of what model already. @param {string} text */
export function firstSentence(text) {
  const [line] = text.trim().split("\n");
  const end = line.search(/\. [A-Z]/);
  const first = end < 0 ? line.replace(/\.$/, "") : line.slice(0, end);
  return first.replace(/\bdata model [0-9A-F]{32}\b/gi, "the data model");
}
