// SPDX-License-Identifier: Apache-2.0
// The tab "Strategy refresh" of a task instance: the refresh by attempt and table.

import { ApiError, LOAD_KEY, RESULT_KEY, getLog, getTaskInstance, getTries, getXCom, getXComKeys, listTaskInstances, taskInstanceLink } from "./airflow_api.js";
import { Fragment, Link, Styles, h, useEffect, useInterval, useRef, useState } from "./airflow_ui.js";
import { Attempt } from "./attempt.js";
import { Notice } from "./components.js";
import { shortenId } from "./format.js";
import { LastRuns, selectSameObject, useLastRuns, usualDuration } from "./history.js";
import { KIND_LABELS, parseIdentity } from "./kinds.js";
import { addResult, parseOutcome, readLog } from "./progress.js";
import { REFRESH_OPERATORS, STEP_OPERATORS, objectTitle, parseRun } from "./status.js";
import { toTimestamp, toWebUrl } from "./values.js";

const LINK_KEY = "mstr_link";
const POLL_SECONDS = 3;
const UNREADABLE_OUTCOME = "The result of this refresh cannot be displayed: it is not in Airflow's database. A custom XCom backend may store it elsewhere.";
const FINISHED_STATES = ["success", "failed", "skipped", "upstream_failed", "removed"];

function Tab({ dagId, runId, taskId, mapIndex }) {
  const tiKey = { dagId, runId, taskId, mapIndex: Number(mapIndex ?? -1) };
  return h("section", { className: "mstr mstr-tab", "aria-label": "Strategy refresh" }, h(Styles), h(Refresh, { key: JSON.stringify(tiKey), tiKey }));
}

function Refresh({ tiKey }) {
  const { refresh, error } = useRefresh(tiKey);
  if (!refresh) return h(Notice, { role: error ? "alert" : "status", title: error?.advice ?? "Loading the refresh …" });
  if (refresh.kind === "other") return h("p", { className: "mstr-muted" }, "This task does not refresh a Strategy object.");
  if (refresh.kind === "step") return h(Step, refresh);
  return h(RefreshView, { ...refresh, error, tiKey });
}

function RefreshView({ error, tiKey, ...refresh }) {
  const { attempts, isFinished } = refresh;
  const runs = selectSameObject(useLastRuns(tiKey, isFinished) ?? [], refresh);
  // Before Airflow 3.3, a list of task instances contains no names, so the page cannot filter by them.
  const listedName = runs.find(({ name }) => name)?.name;
  const usual = usualDuration(runs, tiKey.runId, attempts.at(-1).progress.usualSeconds);
  return h(
    Fragment,
    null,
    h(Heading, { ...refresh, name: refresh.name || listedName, filter: listedName || `${tiKey.dagId} ${tiKey.taskId}` }),
    error && h(Notice, { role: "alert", title: error.advice }),
    refresh.isUnreadable && h("p", { className: "mstr-muted", role: "note" }, UNREADABLE_OUTCOME),
    [...attempts].reverse().map((attempt, index) =>
      h(Attempt, { key: attempt.number, ...attempt, usual, isLatest: index === 0, isOnly: attempts.length === 1 }),
    ),
    runs.some((run) => run.tiKey.runId !== tiKey.runId) && h(LastRuns, { runs, runId: tiKey.runId, usual }),
  );
}

const Heading = ({ name, title, objectKind, id, project, link, filter }) =>
  h(
    "header",
    { className: "mstr-header" },
    h("h2", null, name || title),
    h("span", { className: "mstr-muted" }, [KIND_LABELS[objectKind], project && `Project ${shortenId(project)}`, id && `ID ${id}`].filter(Boolean).join(" · ")),
    h(
      "nav",
      { "aria-label": "Links of the refresh" },
      h(Link, { to: `plugin/strategy-refreshes?filter=${encodeURIComponent(filter)}` }, "All Strategy refreshes"),
      toWebUrl(link) && h("a", { href: toWebUrl(link), target: "_blank", rel: "noreferrer" }, "Open in Strategy ", h("span", { "aria-hidden": true }, "↗")),
    ),
  );

const Step = ({ waitTask, error }) =>
  h(
    Fragment,
    null,
    h(
      "p",
      null,
      "This task is a step of a refresh. Progress is shown on ",
      waitTask ? h(Link, { to: taskInstanceLink(waitTask, "plugin/strategy-refresh") }, waitTask.taskId) : "the task that waits for the refresh",
      ".",
    ),
    error && h("div", { className: "mstr-error", role: "note", "aria-label": "Error" }, error),
  );

/** Load the refresh of a task instance and keep it up to date. */
function useRefresh(tiKey) {
  const [refresh, setRefresh] = useState(null);
  const [error, setError] = useState(null);
  const finishedAttempts = useRef(new Map());
  const update = async () => {
    try {
      setRefresh(await loadRefresh(tiKey, finishedAttempts.current));
      setError(null);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
  };
  useEffect(() => void update(), []);
  useInterval(update, refresh && (refresh.kind !== "refresh" || refresh.isFinished) ? null : POLL_SECONDS);
  return { refresh, error };
}

/** Load a refresh. The progress of a finished attempt is read once and cached. */
async function loadRefresh(tiKey, cache) {
  const ti = await getTaskInstance(tiKey);
  const run = parseRun(ti);
  if (STEP_OPERATORS.includes(run.operator)) {
    const error = ti.state === "failed" ? readLog(await getLog(tiKey, ti.try_number)).error : "";
    return { kind: "step", error, waitTask: await findWaitTask(tiKey) };
  }
  const keys = await getXComKeys(tiKey);
  // A subclass of an operator has another name, but pushes the same XComs.
  if (!REFRESH_OPERATORS.includes(run.operator) && !keys.has(LINK_KEY)) return { kind: "other" };
  const pull = async (key) => (keys.has(key) ? getXCom(tiKey, key) : null);
  const [link, result, load] = [await pull(LINK_KEY), await pull(RESULT_KEY), await pull(LOAD_KEY)];
  const isFinished = FINISHED_STATES.includes(ti.state);
  const attempts = [];
  for (const { try_number: number, state, start_date: start, end_date: end } of ti.try_number > 0 ? await getTries(tiKey) : []) {
    const isLatest = number === ti.try_number;
    const progress = cache.get(number) ?? addResult(readLog(await getLog(tiKey, number), isLatest ? load : null), isLatest ? result : null);
    if (!isLatest || isFinished) cache.set(number, progress);
    attempts.push({ number, state: isLatest ? ti.state : state === "up_for_retry" ? "failed" : state, start: toTimestamp(start), end: toTimestamp(end), progress });
  }
  const lastOutcome = attempts.at(-1)?.progress.outcome;
  const identity = lastOutcome?.identity ?? parseIdentity(load);
  const id = run.id || identity?.id || "";
  return {
    kind: "refresh",
    isFinished,
    link,
    // A custom XCom backend may store a reference in Airflow's database.
    isUnreadable: result !== null && !parseOutcome(result) && !lastOutcome,
    attempts: attempts.length ? attempts : [{ number: 1, state: ti.state, start: null, end: null, progress: readLog(null) }],
    id,
    objectKind: identity?.kind || run.kind,
    name: identity?.name || run.name,
    title: objectTitle({ runs: [run], id }),
    project: identity?.project || run.project,
  };
}

/** Find the task that waits for the refresh of a step. */
async function findWaitTask({ dagId, runId, taskId, mapIndex }) {
  const { instances } = await listTaskInstances(dagId, runId, { operator: "MstrPublishStatusSensor" });
  const group = taskId.slice(0, taskId.lastIndexOf(".") + 1);
  const tiKeys = instances.map((ti) => parseRun(ti)?.tiKey);
  const found = tiKeys.filter((each) => each?.taskId.startsWith(group) && [mapIndex, -1].includes(each.mapIndex));
  return found.length === 1 ? found[0] : null;
}

globalThis["Strategy refresh"] = Tab;
