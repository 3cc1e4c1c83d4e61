// SPDX-License-Identifier: Apache-2.0
// The components that both views use.

import { h } from "./airflow_ui.js";
import { formatDuration } from "./format.js";
import { MAX_RUNS, STATUS_LABELS } from "./status.js";

const CIRCLE = "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z";
const ICONS = {
  failing: `${CIRCLE}M9 9l6 6M15 9l-6 6`,
  stale: `${CIRCLE}M12 7.5V12l3.2 2`,
  never: `${CIRCLE}M8.5 12h7`,
  running: "M12 3a9 9 0 1 1-9 9",
  unavailable: `${CIRCLE}M12 7.5v5.5M12 16.5v.1`,
  waiting: "M6.5 3h11M6.5 21h11M8 3v4l4 5 4-5V3M8 21v-4l4-5 4 5v4",
  queued: `${CIRCLE}M8 12h.1M12 12h.1M16 12h.1`,
  "up-to-date": `${CIRCLE}M8 12.3l2.8 2.8 5.2-5.6`,
};

/** An icon and a text, so that no status depends on colour alone. */
export const StatusBadge = ({ status, children }) =>
  h(
    "span",
    { className: `mstr-badge mstr-${status}` },
    h("svg", { viewBox: "0 0 24 24", "aria-hidden": true }, h("path", { d: ICONS[status] })),
    children ?? STATUS_LABELS[status],
  );

/** A message in place of a table. */
export const Notice = ({ title, children, role = "status" }) =>
  h("div", { className: "mstr-notice", role }, h("p", { className: "mstr-title" }, title), children);

export const ProgressBar = ({ done, total, label }) =>
  h(
    "span",
    { className: "mstr-progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": done, "aria-label": label },
    h("span", { style: { width: `${total ? (100 * done) / total : 0}%` } }),
  );

const BAR_WIDTH = 5;
const GAP = 2;
const HEIGHT = 28;

/** The durations of the last runs, oldest first: a bar for a success, a cross for a failure, a line for the median. */
export function Chart({ finished, medianSeconds, lastSeconds }) {
  const runs = [...finished].reverse();
  const longest = Math.max(...runs.map(({ seconds }) => seconds ?? 0), medianSeconds ?? 0, 1e-9);
  const heightOf = (seconds) => Math.max(2, (HEIGHT * (seconds ?? 0)) / longest);
  const width = MAX_RUNS * (BAR_WIDTH + GAP) - GAP;
  const failures = runs.filter(({ state }) => state !== "success").length;
  const durations = lastSeconds === null ? "no run succeeded" : `last ${formatDuration(lastSeconds)}, median ${formatDuration(medianSeconds)}`;
  const label = `Durations of the last ${runs.length} runs: ${durations}, ${failures} failed`;
  const y = HEIGHT - heightOf(medianSeconds) + 1;
  return h(
    "svg",
    { className: "mstr-chart", viewBox: `0 -1 ${width} ${HEIGHT + 2}`, width, height: HEIGHT + 2, role: "img", "aria-label": label },
    runs.map(({ key, state, seconds }, index) => {
      const x = width - (runs.length - index) * (BAR_WIDTH + GAP) + GAP;
      return state === "success"
        ? h("rect", { key, x, y: HEIGHT - heightOf(seconds), width: BAR_WIDTH, height: heightOf(seconds) })
        : h("path", { key, d: `M${x} ${HEIGHT - 6}l${BAR_WIDTH} 5m0-5l-${BAR_WIDTH} 5` });
    }),
    medianSeconds !== null && h("line", { x1: 0, x2: width, y1: y, y2: y }),
  );
}
