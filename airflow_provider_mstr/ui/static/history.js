// SPDX-License-Identifier: Apache-2.0
// The last runs of a task, and how long it usually takes.

import { ApiError, listTaskInstances, taskInstanceLink } from "./airflow_api.js";
import { h, useEffect, useState } from "./airflow_ui.js";
import { Chart } from "./components.js";
import { formatDuration, pluralize } from "./format.js";
import { MAX_RUNS, isLongerThanUsual, parseRun, toUsualDuration } from "./status.js";

/** Load the last finished runs of a task, newest first; null until they are loaded, or if they cannot be.
 * @param {import("./airflow_api.js").TaskInstanceKey} tiKey
 * @param {boolean} isFinished they are loaded again once the task has finished */
export function useLastRuns(tiKey, isFinished) {
  const [runs, setRuns] = useState(null);
  useEffect(() => {
    loadLastRuns(tiKey)
      .then(setRuns)
      .catch((error) => {
        if (!(error instanceof ApiError)) throw error;
      });
  }, [isFinished]);
  return runs;
}

async function loadLastRuns({ dagId, taskId, mapIndex }) {
  const { instances } = await listTaskInstances(dagId, "~", {
    task_id: taskId,
    map_index: mapIndex,
    state: ["success", "failed", "upstream_failed"],
    order_by: "-id",
    limit: MAX_RUNS,
  });
  return selectRuns(instances, { taskId, mapIndex });
}

/** Parse the runs of a task. Airflow ignores a filter that it does not know. */
export const selectRuns = (instances, { taskId, mapIndex }) =>
  instances
    .map(parseRun)
    .filter((run) => run?.tiKey.taskId === taskId && run.tiKey.mapIndex === mapIndex && ["success", "failed", "upstream_failed"].includes(run.state))
    .slice(0, MAX_RUNS);

/** Return the runs of the same object, as far as both runs contain its id or its name. */
export const selectSameObject = (runs, { id, name }) => {
  const isSame = (mine, theirs) => !mine || !theirs || mine.toLowerCase() === theirs.toLowerCase();
  return runs.filter((run) => (id && run.id ? isSame(id, run.id) : isSame(name, run.name)));
};

/** Return the usual duration: the median of the other successes, or else what the log contains; null if there is none.
 * @param {import("./status.js").Run[]} runs
 * @param {string} runId the run itself
 * @param {number | null} loggedSeconds
 * @returns {import("./status.js").UsualDuration | null} */
export function usualDuration(runs, runId, loggedSeconds) {
  const durations = runs.filter(({ state, seconds, tiKey }) => state === "success" && seconds !== null && tiKey.runId !== runId).map(({ seconds }) => seconds);
  if (!durations.length && loggedSeconds !== null) return { seconds: loggedSeconds, longest: loggedSeconds, count: 0 };
  return toUsualDuration(durations);
}

/** Compare a duration with the usual one, as the end of a sentence. */
export function compareWithUsual(seconds, usual, verb) {
  if (!usual) return "";
  return isLongerThanUsual(seconds, usual) ? `, longer than usual (${formatDuration(usual.seconds)})` : `, ${verb} ${formatDuration(usual.seconds)}`;
}

/** The durations of the last runs. Each links to its tab. */
export function LastRuns({ runs, runId, usual }) {
  const successes = runs.filter(({ state }) => state === "success");
  const lastSeconds = successes.find(({ seconds }) => seconds !== null)?.seconds ?? null;
  return h(
    "section",
    { className: "mstr-history", "aria-labelledby": "mstr-history" },
    h("h3", { id: "mstr-history" }, `Last ${pluralize(runs.length, "run")}`),
    h(
      "p",
      { className: "mstr-muted" },
      `${successes.length} of ${runs.length} succeeded. `,
      usual && lastSeconds !== null && `Usually ${formatDuration(usual.seconds)} (dashed line). `,
      "Select a run to open it.",
    ),
    h(Chart, {
      finished: runs,
      medianSeconds: lastSeconds === null ? null : (usual?.seconds ?? null),
      lastSeconds,
      linkTo: ({ tiKey }) => taskInstanceLink(tiKey, "plugin/strategy-refresh"),
      isCurrent: ({ tiKey }) => tiKey.runId === runId,
    }),
  );
}
