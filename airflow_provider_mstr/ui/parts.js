// SPDX-License-Identifier: Apache-2.0
// The small pieces that both views are made of.

import { h } from "./host.js";
import { LOOK_BACK, NAMES } from "./standing.js";
import { span } from "./words.js";

const CIRCLE = "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z";
const SIGNS = {
  failing: `${CIRCLE}M9 9l6 6M15 9l-6 6`,
  stale: `${CIRCLE}M12 7.5V12l3.2 2`,
  never: `${CIRCLE}M8.5 12h7`,
  running: "M12 3a9 9 0 1 1-9 9",
  fine: `${CIRCLE}M8 12.3l2.8 2.8 5.2-5.6`,
};

/** An icon and a word: a standing is never told by colour alone. */
export const Sign = ({ rank, children }) =>
  h(
    "span",
    { className: `mstr-sign mstr-${rank}` },
    h("svg", { viewBox: "0 0 24 24", "aria-hidden": true }, h("path", { d: SIGNS[rank] })),
    children ?? NAMES[rank],
  );

/** Something that is not a table: empty, loading, failing. */
export const Notice = ({ title, children, role = "status" }) =>
  h("div", { className: "mstr-notice", role }, h("p", { className: "mstr-title" }, title), children);

/** How many of some things are done. */
export const Meter = ({ done, all, label }) =>
  h(
    "span",
    { className: "mstr-meter", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": all, "aria-valuenow": done, "aria-label": label },
    h("span", { style: { width: `${all ? (100 * done) / all : 0}%` } }),
  );

const BAR = 5;
const GAP = 2;
const HEIGHT = 28;

/** The durations of the last runs, oldest first: bars, a cross for what failed, a line for the median. */
export function Chart({ ended, median, lastSeconds }) {
  const shown = [...ended].reverse();
  const longest = Math.max(...shown.map(({ seconds }) => seconds ?? 0), median ?? 0, 1e-9);
  const heightOf = (seconds) => Math.max(2, (HEIGHT * (seconds ?? 0)) / longest);
  const width = LOOK_BACK * (BAR + GAP) - GAP;
  const failures = shown.filter(({ state }) => state !== "success").length;
  const said = lastSeconds === null ? "no run has succeeded" : `last ${span(lastSeconds)}, median ${span(median)}`;
  const label = `Durations of the last ${shown.length} runs: ${said}, ${failures} failed`;
  const y = HEIGHT - heightOf(median) + 1;
  return h(
    "svg",
    { className: "mstr-chart", viewBox: `0 -1 ${width} ${HEIGHT + 2}`, width, height: HEIGHT + 2, role: "img", "aria-label": label },
    shown.map(({ key, state, seconds }, index) => {
      const x = width - (shown.length - index) * (BAR + GAP) + GAP;
      return state === "success"
        ? h("rect", { key, x, y: HEIGHT - heightOf(seconds), width: BAR, height: heightOf(seconds) })
        : h("path", { key, d: `M${x} ${HEIGHT - 6}l${BAR} 5m0-5l-${BAR} 5` });
    }),
    median !== null && h("line", { x1: 0, x2: width, y1: y, y2: y }),
  );
}
