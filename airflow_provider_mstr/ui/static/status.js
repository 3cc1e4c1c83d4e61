// SPDX-License-Identifier: Apache-2.0
// Groups task instances by object, and decides the status of each object.

import { formatAge, formatDuration, formatError, median, pluralize, shortenId } from "./format.js";
import { KIND_LABELS, OPERATOR_KINDS, findKind, parseIdentity } from "./kinds.js";
import { parseHandle } from "./progress.js";
import { findNextRun } from "./schedule.js";
import { toNumber, toObject, toText, toTimestamp } from "./values.js";

const WAIT = "MstrPublishStatusSensor";
const [CREATE, PUBLISH] = ["MstrCreateDataModelInstanceOperator", "MstrPublishDataModelOperator"];

/** The operators whose tasks wait for a refresh. */
export const REFRESH_OPERATORS = [...OPERATOR_KINDS.keys(), WAIT];
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

// A run is longer than usual if it takes longer than 1.5 times the median of at least three runs before it, and than the longest.
const MEDIAN_DURATIONS = 1.5;
const MIN_DURATIONS = 3;

/** The statuses of an object, most urgent first. */
export const STATUS_LABELS = {
  failing: "Failing",
  unavailable: "Server not answering",
  stale: "Stale",
  never: "Never loaded",
  waiting: "Waiting for another refresh",
  running: "Running",
  queued: "Queued",
  "up-to-date": "Up to date",
};
export const STATUSES = Object.keys(STATUS_LABELS);

// The statuses of active runs. That of the first one is shown.
const ACTIVITIES = ["unavailable", "running", "waiting", "queued"];
const QUEUED_STATES = ["queued", "scheduled"];
const ACTIVE_STATES = ["running", "deferred", "restarting", "up_for_reschedule", ...QUEUED_STATES];
const FAILED_STATES = ["failed", "upstream_failed"];

/** @typedef {{key: string, tiKey: import("./airflow_api.js").TaskInstanceKey, state: string, tryNumber: number,
 *   queued: number | null, start: number | null, end: number | null, seconds: number | null, operator: string, dag: string, task: string,
 *   label: string, isRendered: boolean, conn: string, kind: string, id: string, name: string, project: string, handle: any, failedStep?: Run}} Run
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
  const kind = OPERATOR_KINDS.get(operator) || identity?.kind || findKind(fields) || "data_model";
  const tiKey = { dagId: toText(values.dag_id), runId: toText(values.dag_run_id), taskId: toText(values.task_id), mapIndex: toNumber(values.map_index) ?? -1 };
  if (!tiKey.dagId || !tiKey.runId || !tiKey.taskId) return null;
  const id = toText(fields[`${kind}_id`]).toUpperCase() || identity?.id || "";
  const name = toText(fields[kind]) || identity?.name || "";
  return {
    key: JSON.stringify(Object.values(tiKey)),
    tiKey,
    state: toText(values.state ?? "scheduled"),
    tryNumber: toNumber(values.try_number) ?? 0,
    queued: toTimestamp(values.queued_when) ?? toTimestamp(values.scheduled_when),
    start: toTimestamp(values.start_date),
    end: toTimestamp(values.end_date),
    seconds: toNumber(values.duration),
    operator,
    dag: toText(values.dag_display_name) || tiKey.dagId,
    task: toText(values.task_display_name) || tiKey.taskId,
    label: tiKey.mapIndex >= 0 ? toText(values.rendered_map_index) || String(tiKey.mapIndex) : "",
    isRendered: Object.keys(fields).length > 0,
    conn: toText(fields.mstr_conn_id),
    kind,
    id,
    name: name.toUpperCase() === id ? "" : name,
    project: toText(fields.project_id) || identity?.projectId || "",
    handle,
  };
}

/** @typedef {{key: string, runs: Run[], kind: string, id: string, name: string, project: string, conn: string}} StrategyObject */

const taskKey = ({ tiKey }) => JSON.stringify([tiKey.dagId, tiKey.taskId, tiKey.mapIndex]);

const nameKey = ({ conn, kind, name }, project) => JSON.stringify([conn, kind, project, name.normalize().toLowerCase()]);

/** Group runs by object, newest first.
 *
 * Runs by id and runs by name are of one object as soon as a run, its result or its load contains both.
 * A run that has not started names no object. It belongs to the object of its task's newest run that names one.
 * @param {Iterable<Run>} runs
 * @param {Map<string, Partial<import("./kinds.js").Identity & {conn: string}>>} identities what the runs do not contain of their objects, by the run's key
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
    const { conn, kind, id, name, project, projects, hasConn } = each.id || each.name ? each : (newestNamed.get(taskKey(each.run)) ?? each);
    const byName = name && nameKey({ conn, kind, name }, projects[0]);
    // Without a connection, the same id may exist on another server.
    const key = hasConn ? JSON.stringify([conn, id || ids.get(byName) || byName]) : taskKey(each.run);
    if (!objects.has(key)) objects.set(key, { key, runs: [], kind, id: "", name: "", project: "", conn });
    const object = objects.get(key);
    object.id ||= id;
    object.name ||= name;
    object.project ||= project;
    object.runs.push(each.run);
  }
  return [...objects.values()];
}

/** What is known of the object of a run. `projects` are all forms of the project. */
function describeObject({ conn, kind, id, name, project }, identity = {}) {
  return {
    conn: conn || identity.conn || "",
    kind: identity.kind || kind,
    id: id || identity.id || "",
    name: name || identity.name || "",
    project: identity.project || project,
    projects: [project, identity.project ?? project, identity.projectId ?? project],
    hasConn: Boolean(id || name || identity.conn),
  };
}

/** Return the runs of which more must be read: the name of their object, or its id and project if rows have the same name.
 * @param {StrategyObject[]} objects */
export function selectUnidentified(objects) {
  const counts = new Map();
  for (const object of objects) counts.set(nameKey(object, ""), (counts.get(nameKey(object, "")) ?? 0) + 1);
  return objects
    .filter((object) => !object.name || (counts.get(nameKey(object, "")) > 1 && !(object.id && object.project)))
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
 * @param {{dags?: Map<string, import("./schedule.js").Dag>, getError?: (run: Run) => string | undefined, getProgress?: (run: Run) => any}} details
 */
export function summarizeObject(object, now, { dags = new Map(), getError = () => "", getProgress = () => undefined } = {}) {
  const { runs } = object;
  const finished = runs.filter(({ state }) => state === "success" || FAILED_STATES.includes(state)).slice(0, MAX_RUNS);
  const successes = finished.filter(({ state }) => state === "success");
  const lastSuccess = successes[0] ?? null;
  const age = lastSuccess?.end ? (now - lastSuccess.end) / 1000 : null;
  const interval = successInterval(successes);
  const isStale = age !== null && interval !== null && age > interval.staleAfter;
  const lastStarted = runs.find(({ start, state }) => start && !ACTIVE_STATES.includes(state));
  const isRetrying = lastStarted?.state === "up_for_retry";
  const lastFailed = isRetrying ? lastStarted : finished[0] && finished[0] !== lastSuccess ? finished[0] : null;
  const health = lastFailed ? "failing" : isStale ? "stale" : lastSuccess ? "up-to-date" : "never";
  const durations = successes.map(({ seconds }) => seconds).filter((seconds) => seconds !== null);
  const activity = describeActivity(runs, durations, now, getProgress);
  const hasProblem = ["failing", "stale"].includes(health);
  const statuses = [(hasProblem || !activity) && health, activity?.status].filter(Boolean).sort(byUrgency);
  const failure = lastFailed && (lastFailed.failedStep ?? lastFailed);
  const error = failure ? (getError(failure) ?? "") : "";
  const nextRun = findNextRun(object, dags);
  return {
    object,
    status: statuses[0],
    statuses,
    latest: activity?.run ?? runs[0],
    finished,
    lastSuccess,
    age,
    successCount: successes.length,
    lastSeconds: durations[0] ?? null,
    medianSeconds: durations.length ? median(durations) : null,
    nextRun,
    failure,
    error,
    activity,
    activeRuns: runs.filter(({ start, state }) => start && ACTIVE_STATES.includes(state)),
    slowness: describeSlowness(activity, lastFailed, durations),
    reason: describeHealth({ object, health, activity, isRetrying, lastFailed, lastSuccess, interval, now, error, nextRun }),
  };
}

const byUrgency = (a, b) => STATUSES.indexOf(a) - STATUSES.indexOf(b);

/** The median interval between successes and the age after which the object is stale, in seconds; null if unknown. */
function successInterval(successes) {
  const ends = successes.map(({ end }) => end).filter((end) => end !== null);
  const intervals = ends.slice(1).map((end, index) => (ends[index] - end) / 1000);
  if (intervals.length < 2) return null;
  const middle = median(intervals);
  return { median: middle, staleAfter: Math.max(MEDIAN_INTERVALS * middle, LONGEST_INTERVALS * Math.max(...intervals), MIN_STALE_SECONDS) };
}

/** The active run of an object that is shown, with what it does; null if there is none. */
function describeActivity(runs, durations, now, getProgress) {
  const active = runs
    .filter(({ state }) => ACTIVE_STATES.includes(state))
    .map((run) => ({ run, progress: getProgress(run) ?? {} }))
    .map((each) => ({ ...each, status: activityStatus(each) }))
    .sort((a, b) => ACTIVITIES.indexOf(a.status) - ACTIVITIES.indexOf(b.status));
  if (!active.length) return null;
  const [{ run, progress, status }] = active;
  const seconds = run.start && status !== "queued" ? (now - run.start) / 1000 : null;
  const isSlow = seconds !== null && isLongerThanUsual(seconds, toUsualDuration(durations));
  const waiting = active.slice(1).filter((each) => each.status === "waiting").length;
  const text = {
    queued: () => (run.queued ? `Queued for ${formatDuration((now - run.queued) / 1000)}` : run.state === "scheduled" ? "Queued: upstream tasks have not finished" : "Queued"),
    waiting: () => `Waiting for another refresh${progress.busySince ? ` for ${formatDuration((now - progress.busySince) / 1000)}` : " to finish"}`,
    unavailable: () => "The Strategy server has not answered",
    running: () => describeRunning(progress, seconds, isSlow, durations),
  }[status]();
  return { run, status, progress, seconds, isSlow, text, since: status === "unavailable" ? progress.unavailableSince : null, waiting };
}

function activityStatus({ run, progress }) {
  if (!run.start || QUEUED_STATES.includes(run.state)) return "queued";
  if (progress.unavailableSince) return "unavailable";
  return progress.isBusy ? "waiting" : "running";
}

function describeRunning({ total, finished }, seconds, isSlow, durations) {
  // An unusual duration has its own sentence.
  const elapsed = isSlow ? "" : `${total ? " after" : " for"} ${formatDuration(seconds)}`;
  const usually = durations.length && !isSlow ? `, usually ${formatDuration(median(durations))}` : "";
  return (total ? `${finished} of ${pluralize(total, "table")} loaded` : "Running") + elapsed + usually;
}

/** @typedef {{seconds: number, longest: number, count: number}} UsualDuration */

/** Return the usual one of the last durations; null if there are none.
 * @param {number[]} durations
 * @returns {UsualDuration | null} */
export const toUsualDuration = (durations) =>
  durations.length ? { seconds: median(durations), longest: Math.max(...durations), count: durations.length } : null;

/** Whether a duration is longer than usual. @param {UsualDuration | null} usual */
export const isLongerThanUsual = (seconds, usual) =>
  usual !== null && usual.count >= MIN_DURATIONS && seconds > MEDIAN_DURATIONS * usual.seconds && seconds > usual.longest;

/** One sentence if the active run takes unusually long, or else the last run did and succeeded; "" if not. */
function describeSlowness(activity, lastFailed, [last, ...earlier]) {
  const compare = (verb, seconds, durations) => `${verb} longer than usual: ${formatDuration(seconds)}, usually ${formatDuration(median(durations))}.`;
  if (activity?.isSlow) return compare("Takes", activity.seconds, [last, ...earlier]);
  return !activity && !lastFailed && isLongerThanUsual(last, toUsualDuration(earlier)) ? compare("Took", last, earlier) : "";
}

/** One sentence that explains why an object fails or is stale, and what its row does not show elsewhere. */
function describeHealth({ object, health, activity, isRetrying, lastFailed, lastSuccess, interval, now, error, nextRun }) {
  const ago = (timestamp) => `${formatAge((now - timestamp) / 1000)} ago`;
  if (health === "failing") {
    const when = lastFailed.end ? ` ${ago(lastFailed.end)}` : "";
    const cause = error ? formatError(error, object).replace(/\.$/, "") : lastFailed.state === "upstream_failed" ? "an upstream task failed" : "";
    const retry = isRetrying && !activity ? ` Attempt ${lastFailed.tryNumber} failed; Airflow will retry.` : "";
    return `Failed${when}${cause && `: ${cause}`}.${retry}`;
  }
  const cause = activity ? "" : { paused: " Its DAG is paused.", none: health === "up-to-date" ? "" : " Its DAG has no schedule." }[nextRun?.kind] ?? "";
  if (health === "stale") return `Last loaded ${ago(lastSuccess.end)}, usually every ${formatAge(interval.median)}.${cause || (activity ? "" : " No refresh since then.")}`;
  if (health === "never") return activity ? "Loading for the first time." : `No successful refresh found.${cause}`;
  return cause.trim();
}

/** Sort summaries by urgency, then unusually long runs first, then by the age of the last success, oldest first.
 * @param {ReturnType<typeof summarizeObject>[]} summaries */
export const sortByUrgency = (summaries) =>
  [...summaries].sort(
    (a, b) =>
      byUrgency(a.status, b.status) ||
      Boolean(b.slowness) - Boolean(a.slowness) ||
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

/** The title of an object: its name, or its kind and id. @param {StrategyObject} object */
export function objectTitle({ name, id, runs, kind = runs[0].kind }) {
  if (name) return name;
  return id ? `${KIND_LABELS[kind]} ${shortenId(id)}` : `Unnamed ${KIND_LABELS[kind].toLowerCase()}`;
}
