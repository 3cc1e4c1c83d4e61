// SPDX-License-Identifier: Apache-2.0
// Groups task instances by object, and decides the status of each object.

import { firstSentence, formatAge, formatDuration, median, pluralize, shortenId } from "./format.js";
import { KIND_LABELS, findKind, parseIdentity } from "./kinds.js";
import { parseHandle } from "./progress.js";
import { toNumber, toObject, toText, toTimestamp } from "./values.js";

const KINDS = new Map([
  ["MstrRefreshDataModelOperator", "data_model"],
  ["MstrRefreshCubeOperator", "cube"],
  ["MstrRunIncrementalRefreshOperator", "report"],
]);
const WAIT = "MstrPublishStatusSensor";
const [CREATE, PUBLISH] = ["MstrCreateDataModelInstanceOperator", "MstrPublishDataModelOperator"];

/** The operators whose tasks wait for a refresh. */
export const REFRESH_OPERATORS = [...KINDS.keys(), WAIT];
/** The operators before the sensor. They know the object's name, and the error if they fail. */
export const START_OPERATORS = [CREATE, PUBLISH];
export const STEP_OPERATORS = [...START_OPERATORS, "MstrDeleteDataModelInstanceOperator"];

/** Replaces the error of a log that cannot be read. */
export const UNREADABLE_LOG = "the log does not exist or you do not have permission to read it";

/** The number of finished runs that decide an object's status. */
export const MAX_RUNS = 20;

// An object is stale if its last success is older than each of: twice the median interval between successes,
// 1.2 times the longest interval, and half an hour.
const MEDIAN_INTERVALS = 2;
const LONGEST_INTERVALS = 1.2;
const MIN_STALE_SECONDS = 1800;

/** The statuses of an object, most urgent first. */
export const STATUSES = ["failing", "stale", "never", "running", "up-to-date"];
export const STATUS_LABELS = {
  failing: "Failing",
  stale: "Stale",
  never: "Never loaded",
  running: "Running",
  "up-to-date": "Up to date",
};

const ACTIVE_STATES = ["running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "up_for_retry"];
const FAILED_STATES = ["failed", "upstream_failed"];

/** @typedef {{key: string, tiKey: import("./airflow_api.js").TaskInstanceKey, state: string, tryNumber: number,
 *   start: number | null, end: number | null, seconds: number | null, operator: string, dag: string, task: string,
 *   label: string, conn: string, kind: string, id: string, name: string, project: string, handle: any, failedStep?: Run}} Run
 * The latest try of a task instance. `failedStep` is the failed task before it, if its state is "upstream_failed". */

/** Parse a task instance; null if it has no id.
 * @param {unknown} ti a task instance in the form of Airflow's API
 * @returns {Run | null} */
export function parseRun(ti) {
  const { rendered_fields: rendered, ...values } = toObject(ti);
  const fields = toObject(rendered);
  const handle = parseHandle(fields.instance);
  const identity = parseIdentity(handle);
  const operator = toText(values.operator_name) || toText(values.operator);
  const kind = KINDS.get(operator) || identity?.kind || findKind(fields) || "data_model";
  const tiKey = { dagId: toText(values.dag_id), runId: toText(values.dag_run_id), taskId: toText(values.task_id), mapIndex: toNumber(values.map_index) ?? -1 };
  if (!tiKey.dagId || !tiKey.runId || !tiKey.taskId) return null;
  return {
    key: JSON.stringify(Object.values(tiKey)),
    tiKey,
    state: toText(values.state ?? "scheduled"),
    tryNumber: toNumber(values.try_number) ?? 0,
    start: toTimestamp(values.start_date),
    end: toTimestamp(values.end_date),
    seconds: toNumber(values.duration),
    operator,
    dag: toText(values.dag_display_name) || tiKey.dagId,
    task: toText(values.task_display_name) || tiKey.taskId,
    label: tiKey.mapIndex >= 0 ? toText(values.rendered_map_index) || String(tiKey.mapIndex) : "",
    conn: toText(fields.mstr_conn_id),
    kind,
    id: toText(fields[`${kind}_id`]).toUpperCase() || identity?.id || "",
    name: toText(fields[kind]) || identity?.name || "",
    project: toText(fields.project_id) || identity?.projectId || "",
    handle,
  };
}

/** @typedef {{key: string, runs: Run[], kind: string, id: string, name: string, project: string, conn: string}} StrategyObject */

const taskKey = ({ tiKey }) => JSON.stringify([tiKey.dagId, tiKey.taskId, tiKey.mapIndex]);

const nameKey = ({ conn, kind, name }, project) => JSON.stringify([conn, kind, project, name.normalize().toLowerCase()]);

/** Group runs by object, newest first.
 *
 * A run that has not started names no object. It belongs to the object of its task's newest run that names one.
 * @param {Iterable<Run>} runs
 * @param {Map<string, import("./kinds.js").Identity>} identities the objects of runs whose results were read, by the run's key
 * @returns {StrategyObject[]} */
export function groupByObject(runs, identities = new Map()) {
  const newestFirst = mergeSteps([...runs])
    .sort((a, b) => sortTime(b) - sortTime(a))
    .map((run) => ({ run, ...describeObject(run, identities.get(run.key)) }));
  const newestNamed = new Map();
  const ids = new Map();
  for (const each of newestFirst) {
    if ((each.id || each.name) && !newestNamed.has(taskKey(each.run))) newestNamed.set(taskKey(each.run), each);
    if (each.id && each.name) for (const project of each.projects) ids.set(nameKey(each, project), ids.get(nameKey(each, project)) ?? each.id);
  }
  const objects = new Map();
  for (const each of newestFirst) {
    const { conn, kind, id, name, project, projects, isRendered } = each.id || each.name ? each : (newestNamed.get(taskKey(each.run)) ?? each);
    const byName = name && nameKey({ conn, kind, name }, projects[0]);
    // Without rendered fields, the connection is not known: the same id may exist on another server.
    const key = isRendered ? JSON.stringify([conn, id || ids.get(byName) || byName]) : taskKey(each.run);
    if (!objects.has(key)) objects.set(key, { key, runs: [], kind, id: "", name: "", project: "", conn });
    const object = objects.get(key);
    object.id ||= id;
    object.name ||= name;
    object.project ||= project;
    object.runs.push(each.run);
  }
  return [...objects.values()];
}

/** What the task instance of a run and its result contain of its object. `projects` are all forms of the project. */
function describeObject({ conn, kind, id, name, project }, identity) {
  return {
    conn,
    kind: identity?.kind || kind,
    id: id || identity?.id || "",
    name: name || identity?.name || "",
    project: identity?.project || project,
    projects: identity ? [project, identity.project, identity.projectId] : [project],
    isRendered: Boolean(id || name),
  };
}

/** Return the runs whose results contain what their rows lack: the name, or the id if rows have the same name.
 * @param {StrategyObject[]} objects */
export function selectUnidentified(objects) {
  const names = objects.map((object) => nameKey(object, ""));
  const isAmbiguous = (object) => !object.id && names.indexOf(nameKey(object, "")) !== names.lastIndexOf(nameKey(object, ""));
  return objects
    .filter((object) => !object.name || isAmbiguous(object))
    .map(({ runs }) => runs.find(({ state }) => state === "success") ?? runs.find(({ start }) => start))
    .filter(Boolean);
}

/** Return the runs that wait for a refresh, with the values of the steps before them. @param {Run[]} runs */
function mergeSteps(runs) {
  const groupKey = ({ dagId, runId, taskId, mapIndex }) =>
    JSON.stringify([dagId, runId, taskId.slice(0, taskId.lastIndexOf(".") + 1), mapIndex]);
  const steps = new Map();
  for (const run of runs) {
    if (START_OPERATORS.includes(run.operator)) steps.set(groupKey(run.tiKey), [...(steps.get(groupKey(run.tiKey)) ?? []), run]);
  }
  return runs
    .filter(({ operator }) => !STEP_OPERATORS.includes(operator))
    .map((run) => {
      const groupSteps = steps.get(groupKey(run.tiKey)) ?? [];
      const [create, secondCreate] = groupSteps.filter(({ operator }) => operator === CREATE);
      // If a group contains several refreshes, their steps cannot be assigned.
      if (!create || secondCreate || run.operator !== WAIT) return run;
      const failedStep = run.state === "upstream_failed" ? groupSteps.find(({ state }) => state === "failed") : undefined;
      const { id, name, project, conn } = create;
      return {
        ...run,
        id: run.id || id,
        name: run.name || name,
        project: run.project || project,
        conn: run.conn || conn,
        end: run.end ?? failedStep?.end ?? null,
        failedStep,
      };
    });
}

const sortTime = ({ start, end }) => start ?? end ?? Infinity;

/** Summarize an object: its status and what its row shows.
 * @param {StrategyObject} object
 * @param {number} now milliseconds since the epoch
 * @param {{pausedDags?: Set<string>, error?: string, progress?: any}} details
 */
export function summarizeObject(object, now, { pausedDags = new Set(), error, progress } = {}) {
  const [latest] = object.runs;
  const isActive = ACTIVE_STATES.includes(latest.state);
  const finished = object.runs.filter(({ state }) => state === "success" || FAILED_STATES.includes(state)).slice(0, MAX_RUNS);
  const successes = finished.filter(({ state }) => state === "success");
  const lastSuccess = successes[0] ?? null;
  const lastFinished = finished[0] ?? null;
  const age = lastSuccess?.end ? (now - lastSuccess.end) / 1000 : null;
  const interval = successInterval(successes);
  const isStale = age !== null && interval !== null && age > interval.staleAfter;
  const hasFailed = lastFinished !== null && FAILED_STATES.includes(lastFinished.state);
  const isRetrying = latest.state === "up_for_retry";
  const status = hasFailed || isRetrying ? "failing" : isStale ? "stale" : isActive ? "running" : lastSuccess ? "up-to-date" : "never";
  const durations = successes.map(({ seconds }) => seconds).filter((seconds) => seconds !== null);
  return {
    status,
    object,
    latest,
    isActive,
    finished,
    lastSuccess,
    age,
    successCount: successes.length,
    lastSeconds: durations[0] ?? null,
    medianSeconds: durations.length ? median(durations) : null,
    failure: status === "failing" ? (isRetrying ? latest : (lastFinished.failedStep ?? lastFinished)) : null,
    activity: isActive ? describeActivity(latest, progress, now) : "",
    reason: describeStatus({ status, latest, isActive, isRetrying, lastFinished, lastSuccess, interval, durations, now, error, isPaused: pausedDags.has(latest.tiKey.dagId) }),
  };
}

/** The median interval between successes and the age after which the object is stale, in seconds; null if unknown. */
function successInterval(successes) {
  const ends = successes.map(({ end }) => end).filter((end) => end !== null);
  const intervals = ends.slice(1).map((end, index) => (ends[index] - end) / 1000);
  if (intervals.length < 2) return null;
  const middle = median(intervals);
  return { median: middle, staleAfter: Math.max(MEDIAN_INTERVALS * middle, LONGEST_INTERVALS * Math.max(...intervals), MIN_STALE_SECONDS) };
}

function describeActivity(latest, progress, now) {
  if (latest.state === "up_for_retry") return "Waiting to retry";
  if (!latest.start || ["queued", "scheduled"].includes(latest.state)) return "Queued";
  const elapsed = formatDuration((now - latest.start) / 1000);
  const { total, finished } = progress ?? {};
  return total ? `${finished} of ${pluralize(total, "table")} after ${elapsed}` : `Running for ${elapsed}`;
}

/** One sentence that explains the status. */
function describeStatus({ status, latest, isActive, isRetrying, lastFinished, lastSuccess, interval, durations, now, error, isPaused }) {
  const ago = (timestamp) => (timestamp === null ? "at an unknown time" : `${formatAge((now - timestamp) / 1000)} ago`);
  if (status === "failing") {
    const failed = isRetrying ? latest : lastFinished;
    const when = failed.end ? ` ${ago(failed.end)}` : "";
    const cause = error ? capitalize(firstSentence(error)) : failed.state === "upstream_failed" ? "an upstream task failed" : "";
    const next = isRetrying ? `; attempt ${latest.tryNumber} failed, Airflow will retry` : isActive ? "; running again" : "";
    return `Failed${when}${cause ? `: ${cause}` : ""}${next}.`;
  }
  const paused = isPaused ? " Its DAG is paused." : "";
  if (status === "stale") {
    const next = isActive ? " Running now." : paused || " No refresh since then.";
    return `Last loaded ${ago(lastSuccess.end)}, usually every ${formatAge(interval.median)}.${next}`;
  }
  if (status === "never") return `No successful refresh found.${paused}`;
  if (status === "running") return lastSuccess ? `Loading now; last loaded ${ago(lastSuccess.end)}.` : "Loading for the first time.";
  return `Loaded ${ago(lastSuccess.end)}${durations.length ? ` in ${formatDuration(durations[0])}` : ""}.${paused}`;
}

const capitalize = (text) => (text === UNREADABLE_LOG ? text : text.slice(0, 1).toUpperCase() + text.slice(1));

/** Sort summaries by urgency, then by the age of the last success, oldest first.
 * @param {ReturnType<typeof summarizeObject>[]} summaries */
export const sortByUrgency = (summaries) =>
  [...summaries].sort(
    (a, b) =>
      STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status) ||
      (b.age ?? Infinity) - (a.age ?? Infinity) ||
      a.object.key.localeCompare(b.object.key),
  );

/** Whether an object contains each word of a filter in its names, or in those of its DAGs and tasks. */
export function matchesFilter({ kind, name, id, project, conn, runs }, filter) {
  const taskNames = new Set(runs.flatMap(({ dag, task, label, tiKey }) => [dag, task, label, tiKey.dagId]));
  const text = [KIND_LABELS[kind], name, id, project, conn, ...taskNames].join("\n").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The name of a task, with the label of its map index. @param {Run} run */
export const taskLabel = ({ task, label }) => (label ? `${task} [${shortenId(label)}]` : task);

/** The title of an object: its name, or the task's if only the object's id is known. @param {StrategyObject} object */
export function objectTitle(object) {
  if (object.name) return object.name;
  const [{ task, label }] = object.runs;
  const isNameLike = label && !/^\d+$/.test(label) && label.toUpperCase() !== object.id;
  return isNameLike ? label : task.replace(/\.wait$/, "");
}
