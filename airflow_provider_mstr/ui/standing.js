// SPDX-License-Identifier: Apache-2.0
// What a model's attempts say of it: whether it needs somebody, and why.

import { handleOf } from "./progress.js";
import { momentOf, numberOf, objectOf, textOf } from "./shapes.js";
import { count, firstSentence, median, roughly, short, span } from "./words.js";

export const OPERATORS = ["MstrRefreshDataModelOperator", "MstrPublishStatusSensor"];
/** What comes before a sensor, and knows the model's name, or why the sensor has nothing to wait for. */
export const BEFORE = ["MstrCreateDataModelInstanceOperator", "MstrPublishDataModelOperator"];
export const STEPS = [...BEFORE, "MstrDeleteDataModelInstanceOperator"];

/** What stands for an error that the viewer cannot be told. */
export const UNREADABLE = "its log, which says why, is gone or not yours to read";

/** How many runs back a model is judged by. */
export const LOOK_BACK = 20;

// A model is stale when its last success is older than this many usual intervals, or than the longest of
// late by this share; and never sooner than so many seconds.
const INTERVALS = 2;
const LATE = 1.2;
const SOONEST = 1800;

/** The standings, by how much they need attention. */
export const RANKS = ["failing", "stale", "never", "running", "fine"];
export const NAMES = {
  failing: "Failing",
  stale: "Stale",
  never: "Never loaded",
  running: "Running",
  fine: "Fine",
};

const UNDER_WAY = ["running", "deferred", "queued", "scheduled", "restarting", "up_for_reschedule", "up_for_retry"];
const FAILED = ["failed", "upstream_failed"];

/** @typedef {{key: string, place: import("./airflow.js").Place, state: string, attempt: number, start: number | null,
 *   end: number | null, seconds: number | null, operator: string, dag: string, task: string,
 *   label: string, conn: string, id: string, name: string, project: string, handle: any, failed?: Attempt}} Attempt
 * `failed` is the step before it that failed, where that is why it was never tried. */

/** The attempt of a task instance; null if it has no id.
 * @param {unknown} ti as Airflow's API has it
 * @returns {Attempt | null} */
export function attemptOf(ti) {
  const { rendered_fields: rendered, ...said } = objectOf(ti);
  const fields = objectOf(rendered);
  const handle = handleOf(fields.instance);
  const place = { dagId: textOf(said.dag_id), runId: textOf(said.dag_run_id), taskId: textOf(said.task_id), mapIndex: numberOf(said.map_index) ?? -1 };
  if (!place.dagId || !place.runId || !place.taskId) return null;
  return {
    key: JSON.stringify(Object.values(place)),
    place,
    state: textOf(said.state ?? "scheduled"),
    attempt: numberOf(said.try_number) ?? 0,
    start: momentOf(said.start_date),
    end: momentOf(said.end_date),
    seconds: numberOf(said.duration),
    operator: textOf(said.operator_name) || textOf(said.operator),
    dag: textOf(said.dag_display_name) || place.dagId,
    task: textOf(said.task_display_name) || place.taskId,
    label: place.mapIndex >= 0 ? textOf(said.rendered_map_index) || String(place.mapIndex) : "",
    conn: textOf(fields.mstr_conn_id),
    id: (textOf(fields.data_model_id) || textOf(handle.data_model_id)).toUpperCase(),
    name: textOf(fields.data_model) || textOf(handle.data_model),
    project: textOf(fields.project_id) || textOf(handle.project_id),
    handle,
  };
}

/** @typedef {{key: string, attempts: Attempt[], id: string, name: string, project: string, conn: string}} Model */

/** The models that some attempts refresh, each with its attempts, newest first.
 *
 * An attempt that has not begun, or was never to begin, says no model: it is its task's usual one.
 * @param {Iterable<Attempt>} attempts
 * @returns {Model[]} */
export function modelsOf(attempts) {
  const newestFirst = withSteps([...attempts]).sort((a, b) => recencyOf(b) - recencyOf(a));
  const usual = new Map();
  const mappedTask = ({ place }) => JSON.stringify([place.dagId, place.taskId, place.mapIndex]);
  for (const each of newestFirst) {
    if ((each.id || each.name) && !usual.has(mappedTask(each))) usual.set(mappedTask(each), each);
  }
  const models = new Map();
  for (const each of newestFirst) {
    const said = each.id || each.name ? each : (usual.get(mappedTask(each)) ?? each);
    const key = [said.conn, said.id || said.name || mappedTask(each)].join(" ");
    if (!models.has(key)) models.set(key, { key, attempts: [], id: "", name: "", project: "", conn: said.conn });
    const model = models.get(key);
    model.id ||= said.id;
    model.name ||= said.name;
    model.project ||= said.project;
    model.attempts.push(each);
  }
  return [...models.values()];
}

/** The attempts of refreshes, each with what the steps before it know. @param {Attempt[]} attempts */
function withSteps(attempts) {
  const groupOf = ({ dagId, runId, taskId, mapIndex }) =>
    JSON.stringify([dagId, runId, taskId.slice(0, taskId.lastIndexOf(".") + 1), mapIndex]);
  const steps = new Map();
  for (const each of attempts) {
    if (BEFORE.includes(each.operator)) steps.set(groupOf(each.place), [...(steps.get(groupOf(each.place)) ?? []), each]);
  }
  return attempts
    .filter(({ operator }) => !STEPS.includes(operator))
    .map((each) => {
      const before = steps.get(groupOf(each.place)) ?? [];
      const [create, another] = before.filter(({ operator }) => operator === BEFORE[0]);
      // Where several refreshes share a group, which step is whose cannot be told.
      if (!create || another || OPERATORS[0] === each.operator) return each;
      const failed = each.state === "upstream_failed" ? before.find(({ state }) => state === "failed") : undefined;
      const { id, name, project, conn } = create;
      return {
        ...each,
        id: each.id || id,
        name: each.name || name,
        project: each.project || project,
        conn: each.conn || conn,
        end: each.end ?? failed?.end ?? null,
        failed,
      };
    });
}

const recencyOf = ({ start, end }) => start ?? end ?? Infinity;

/** How a model stands.
 * @param {Model} model
 * @param {number} now milliseconds since the epoch
 * @param {{paused?: Set<string>, error?: string, progress?: any}} seen
 */
export function standingOf(model, now, { paused = new Set(), error, progress } = {}) {
  const attempts = model.attempts;
  const latest = attempts[0];
  const isUnderWay = UNDER_WAY.includes(latest.state);
  const ended = attempts.filter(({ state }) => state === "success" || FAILED.includes(state)).slice(0, LOOK_BACK);
  const successes = ended.filter(({ state }) => state === "success");
  const lastSuccess = successes[0] ?? null;
  const lastEnded = ended[0] ?? null;
  const age = lastSuccess?.end ? (now - lastSuccess.end) / 1000 : null;
  const usual = intervalOf(successes);
  const isStale = age !== null && usual !== null && age > usual.limit;
  const hasFailed = lastEnded !== null && FAILED.includes(lastEnded.state);
  const isRetrying = latest.state === "up_for_retry";
  const rank = hasFailed || isRetrying ? "failing" : isStale ? "stale" : isUnderWay ? "running" : lastSuccess ? "fine" : "never";
  const durations = successes.map(({ seconds }) => seconds).filter((seconds) => seconds !== null);
  return {
    rank,
    model,
    latest,
    isUnderWay,
    ended,
    lastSuccess,
    lastEnded,
    age,
    usual,
    successes: successes.length,
    lastSeconds: durations[0] ?? null,
    median: durations.length ? median(durations) : null,
    failure: rank === "failing" ? (isRetrying ? latest : (lastEnded.failed ?? lastEnded)) : null,
    running: isUnderWay ? runningWords(latest, progress, now) : "",
    why: why({ rank, latest, isRetrying, lastEnded, lastSuccess, age, usual, durations, now, error, isPaused: paused.has(latest.place.dagId), progress }),
  };
}

/** The usual interval between two successes, and the age beyond which a model is stale, in seconds. */
function intervalOf(successes) {
  const ends = successes.map(({ end }) => end).filter((end) => end !== null);
  const gaps = ends.slice(1).map((end, index) => (ends[index] - end) / 1000);
  if (gaps.length < 2) return null;
  const typical = median(gaps);
  return { typical, limit: Math.max(INTERVALS * typical, LATE * Math.max(...gaps), SOONEST) };
}

function runningWords(latest, progress, now) {
  if (latest.state === "up_for_retry") return "waits to try again";
  if (!latest.start || ["queued", "scheduled"].includes(latest.state)) return "waits to start";
  const since = span((now - latest.start) / 1000);
  const { all, finished } = progress ?? {};
  return all ? `${finished} of ${count(all, "table")} after ${since}` : `for ${since}`;
}

/** One sentence for a person who has five seconds. */
function why({ rank, latest, isRetrying, lastEnded, lastSuccess, age, usual, durations, now, error, isPaused }) {
  const ago = (moment) => (moment === null ? "at an unknown time" : `${roughly((now - moment) / 1000)} ago`);
  if (rank === "failing") {
    const failed = isRetrying ? latest : lastEnded;
    const when = failed.end ? ` ${ago(failed.end)}` : "";
    const what = error ? sentence(firstSentence(error)) : failed.state === "upstream_failed" ? "a step before it failed" : "";
    const next = isRetrying ? `; attempt ${latest.attempt} failed, the next one follows` : UNDER_WAY.includes(latest.state) ? "; running again now" : "";
    return `Failed${when}${what ? `: ${what}` : ""}${next}.`;
  }
  const paused = isPaused ? " Its DAG is paused." : "";
  if (rank === "stale") {
    const again = UNDER_WAY.includes(latest.state) ? " Running now." : paused || " No refresh since then.";
    return `Last loaded ${ago(lastSuccess.end)}, usually every ${roughly(usual.typical)}.${again}`;
  }
  if (rank === "never") return `No success is known.${paused}`;
  if (rank === "running") return lastSuccess ? `Loading now; last loaded ${ago(lastSuccess.end)}.` : "Loading now, for the first time.";
  return `Loaded ${ago(lastSuccess.end)}${durations.length ? ` in ${span(durations[0])}` : ""}.${paused}`;
}

const sentence = (text) => (text === UNREADABLE ? text : text.slice(0, 1).toUpperCase() + text.slice(1));

/** The standings, what needs attention first; among equals what has waited longest for a success.
 * @param {ReturnType<typeof standingOf>[]} standings */
export const byAttention = (standings) =>
  [...standings].sort(
    (a, b) =>
      RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank) ||
      (b.age ?? Infinity) - (a.age ?? Infinity) ||
      a.model.key.localeCompare(b.model.key),
  );

/** How a task is called, with what tells it from others that are mapped as it is. @param {Attempt} attempt */
export const taskOf = ({ task, label }) => (label ? `${task} [${short(label)}]` : task);

/** How a row calls its model, whose name is not known where only its id was ever used. @param {Model} model */
export function titleOf(model) {
  if (model.name) return model.name;
  const [{ task, label }] = model.attempts;
  const isTelling = label && !/^\d+$/.test(label) && label.toUpperCase() !== model.id;
  return isTelling ? label : task.replace(/\.wait$/, "");
}
