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
  // Below a day and a half hours say more.
  const [unit, size] = STEPS.find(([, each]) => seconds >= 1.5 * each);
  const count = Math.round(seconds / size);
  const names = { d: "day", h: "hour", min: "minute", s: "second" };
  return `${count} ${names[unit]}${count === 1 ? "" : "s"}`;
}

/** A count of things: "1 table", "2 tables". */
export const count = (many, thing) => `${many.toLocaleString()} ${thing}${many === 1 ? "" : "s"}`;

/** The middle of some numbers. @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The first sentence of an error, for a row of a table. @param {string} text */
export function firstSentence(text) {
  const [line] = text.split("\n");
  const end = line.search(/[.;] /);
  return end < 0 ? line.replace(/\.$/, "") : line.slice(0, end);
}
