// SPDX-License-Identifier: Apache-2.0
// The page "Strategy refreshes": every object that this Airflow refreshes, most urgent first.

import { dagLink, now, taskInstanceLink } from "./airflow_api.js";
import { Fragment, Link, Styles, formatTime, h, useEffect, useMemo, useState } from "./airflow_ui.js";
import { Chart, Notice, ProgressBar, StatusBadge } from "./components.js";
import { formatAge, formatDuration, formatError, pluralize, shortenId } from "./format.js";
import { KIND_LABELS, OPERATOR_KINDS } from "./kinds.js";
import { useObjects } from "./objects.js";
import { STATUSES, STATUS_LABELS, matchesFilter, objectTitle, taskLabel } from "./status.js";

const FILTER_LABEL = "Filter by name, kind, project or DAG";

function Page() {
  const objects = useObjects();
  const [filter, setFilter] = useState(() => new URLSearchParams(globalThis.location.search).get("filter") ?? "");
  const [status, setStatus] = useState(null);
  const [order, setOrder] = useState(MOST_URGENT_FIRST);
  const shown = useMemo(
    () => sortSummaries(objects.summaries.filter((each) => (!status || each.statuses.includes(status)) && matchesFilter(each.object, filter)), order),
    [objects.summaries, filter, status, order],
  );
  useEffect(() => void objects.loadNames(shown.map(({ object }) => object)), [shown]);
  return h(
    "section",
    { className: "mstr", "aria-labelledby": "mstr-heading" },
    h(Styles),
    h(
      "header",
      { className: "mstr-header" },
      h("h1", { id: "mstr-heading" }, "Strategy refreshes"),
      objects.summaries.length > 0 && h(StatusFilter, { summaries: objects.summaries, status, setStatus }),
      objects.summaries.length > 0 &&
        h("input", {
          type: "search",
          className: "mstr-search",
          placeholder: FILTER_LABEL,
          "aria-label": FILTER_LABEL,
          value: filter,
          onChange: ({ target }) => setFilter(target.value),
        }),
    ),
    objects.error && h(ErrorNotice, objects),
    h(Body, { ...objects, shown, order, setOrder, isFiltered: Boolean(filter || status) }),
    objects.total > 0 && h(Footer, objects),
  );
}

function StatusFilter({ summaries, status, setStatus }) {
  const count = (each) => summaries.filter((summary) => summary.statuses.includes(each)).length;
  return h(
    "div",
    { className: "mstr-filters", role: "group", "aria-label": "Filter by status" },
    STATUSES.filter((each) => count(each) || each === status).map((each) =>
      h(
        "button",
        { key: each, type: "button", "aria-pressed": status === each, onClick: () => setStatus(status === each ? null : each) },
        h(StatusBadge, { status: each }, `${count(each)} ${STATUS_LABELS[each].toLowerCase()}`),
      ),
    ),
  );
}

export function Body({ shown, order, setOrder, summaries, isLoading, error, isFiltered }) {
  if (shown.length) return h(Table, { shown, order, setOrder });
  if (isLoading) return h(Notice, { title: "Loading refreshes …" });
  if (isFiltered && summaries.length) return h(Notice, { title: "No objects match this filter." }, h("p", null, "Change or clear the filter."));
  if (error) return null;
  return h(
    Notice,
    { title: "Nothing has been refreshed yet." },
    h(
      "p",
      null,
      "An object appears here once a task that refreshes it has run in a DAG that you can access: a task of ",
      [...OPERATOR_KINDS.keys()].map((operator) => h(Fragment, { key: operator }, h("code", null, operator), ", ")),
      "or the task group ",
      h("code", null, "refresh_data_model"),
      ".",
    ),
  );
}

const ErrorNotice = ({ error, updatedAt }) =>
  h(
    Notice,
    { role: "alert", title: error.advice },
    updatedAt > 0 && h("p", null, `Last updated: ${formatTime(updatedAt)}.`),
  );

/** The columns, and the values by which they are sorted; null comes last. */
const COLUMNS = {
  Status: ({ status }) => STATUSES.indexOf(status),
  Object: ({ object }) => objectTitle(object),
  "Last success": ({ age }) => age,
  "Next run": ({ nextRun }) => nextRun?.time ?? null,
  Duration: ({ lastSeconds }) => lastSeconds,
  Successes: ({ finished, successCount }) => (finished.length ? successCount / finished.length : null),
  "DAG and task": ({ latest }) => `${latest.dag} ${taskLabel(latest)}`,
};
const MOST_URGENT_FIRST = { column: "Status", isDescending: false };

/** Sort summaries by a column. Those with the same value remain in order of urgency. */
export function sortSummaries(summaries, { column, isDescending }) {
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b) * (isDescending ? -1 : 1);
  return summaries
    .map((summary) => ({ summary, value: COLUMNS[column](summary) }))
    .sort((a, b) => (a.value === null || b.value === null ? (a.value === null) - (b.value === null) : compare(a.value, b.value)))
    .map(({ summary }) => summary);
}

const Table = ({ shown, order, setOrder }) =>
  h(
    "table",
    { className: "mstr-objects" },
    h("caption", { className: "mstr-visually-hidden" }, "Objects and their refreshes"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        Object.keys(COLUMNS).map((column) => h(ColumnHeader, { key: column, column, order, setOrder })),
        h("th", { scope: "col", className: "mstr-visually-hidden" }, "Explanation"),
      ),
    ),
    h("tbody", null, shown.map((summary) => h(Row, { key: summary.object.key, summary }))),
  );

function ColumnHeader({ column, order, setOrder }) {
  const isSorted = order.column === column;
  const direction = isSorted ? (order.isDescending ? "descending" : "ascending") : undefined;
  return h(
    "th",
    { scope: "col", "aria-sort": direction },
    h(
      "button",
      { type: "button", title: `Sort by ${column}`, onClick: () => setOrder({ column, isDescending: isSorted && !order.isDescending }) },
      column,
      h("span", { "aria-hidden": true, className: "mstr-arrow" }, isSorted ? (order.isDescending ? "▼" : "▲") : ""),
    ),
  );
}

export function Row({ summary }) {
  const { object, statuses, latest, finished, lastSeconds } = summary;
  const { kind, id, name, project, conn } = object;
  const details = [KIND_LABELS[kind], !name && !id && "its name is not known yet", shortenId(project), conn !== "mstr_default" && conn];
  return h(
    "tr",
    { className: `mstr-row mstr-is-${statuses[0]}` },
    h("td", { className: "mstr-statuses" }, statuses.map((status) => h(StatusBadge, { key: status, status }))),
    h(
      "th",
      { scope: "row" },
      h(Link, { to: taskInstanceLink(latest.tiKey, "plugin/strategy-refresh"), className: "mstr-name", title: id || undefined }, objectTitle(object)),
      h("span", { className: "mstr-muted" }, details.filter(Boolean).join(" · ")),
    ),
    h("td", { "data-title": "Last success" }, h(LastSuccess, summary)),
    h("td", { "data-title": "Next run" }, h(NextRun, summary)),
    h("td", { "data-title": "Duration", className: lastSeconds === null ? "mstr-empty" : undefined }, h(Durations, summary)),
    h("td", { "data-title": "Successes", className: finished.length ? "mstr-number" : "mstr-empty" }, finished.length ? `${summary.successCount} of ${finished.length}` : "–"),
    h("td", { "data-title": "DAG and task" }, h(Tasks, { object })),
    h("td", { className: "mstr-explanation" }, h(Explanation, summary)),
  );
}

/** A time as an interval from now, and as a date. */
const Time = ({ interval, time }) => h(Fragment, null, h("strong", null, interval), h("span", { className: "mstr-muted" }, formatTime(time, SHORT_DATE)));

const SHORT_DATE = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };

const LastSuccess = ({ lastSuccess, age }) => {
  if (!lastSuccess) return h("span", { className: "mstr-muted" }, "None found");
  return age === null ? h("span", { className: "mstr-muted" }, "Unknown time") : h(Time, { interval: `${formatAge(age)} ago`, time: lastSuccess.end });
};

const NEXT_RUN_LABELS = { paused: "DAG is paused", assets: "On an asset update", none: "Not scheduled" };

const NextRun = ({ nextRun }) => {
  if (nextRun?.kind !== "time") return h("span", { className: "mstr-muted" }, nextRun ? NEXT_RUN_LABELS[nextRun.kind] : "–");
  const seconds = (nextRun.time - now()) / 1000;
  return h(Time, { interval: seconds > 0 ? `in ${formatAge(seconds)}` : "due now", time: nextRun.time });
};

function Durations({ finished, lastSeconds, medianSeconds }) {
  // A single run is no chart. Hundreds of charts take long to update.
  const chart = useMemo(() => finished.length > 1 && h(Chart, { finished, medianSeconds, lastSeconds }), [finished.map(({ key, state }) => key + state).join()]);
  if (lastSeconds === null) return "–";
  const usually = finished.length > 1 && h("span", { className: "mstr-muted" }, `usually ${formatDuration(medianSeconds)}`);
  return h(Fragment, null, chart, h("span", { className: "mstr-durations" }, h("strong", null, formatDuration(lastSeconds)), " ", usually));
}

const MAX_TASKS = 2;

function Tasks({ object }) {
  const tasks = new Map(object.runs.toReversed().map((run) => [JSON.stringify([run.dag, taskLabel(run)]), run]));
  const newestFirst = [...tasks.values()].reverse();
  const more = newestFirst.slice(MAX_TASKS);
  return h(
    Fragment,
    null,
    newestFirst.slice(0, MAX_TASKS).map((run) => h(Task, { key: run.key, run })),
    more.length > 0 && h("details", null, h("summary", null, `and ${pluralize(more.length, "other task")}`), more.map((run) => h(Task, { key: run.key, run }))),
  );
}

const Task = ({ run }) =>
  h("span", { className: "mstr-task" }, h(Link, { to: dagLink(run.tiKey.dagId) }, run.dag), " › ", h(Link, { to: taskInstanceLink(run.tiKey) }, taskLabel(run)));

/** Why an object fails or is stale, what runs now, and whether that takes longer than usual. */
export function Explanation({ object, reason, failure, error, activity, slowness }) {
  return h(
    Fragment,
    null,
    reason && (failure ? h(Failure, { object, reason, failure, error }) : h("p", { className: "mstr-reason" }, reason)),
    activity && h(Activity, activity),
    slowness && h("p", null, h(StatusBadge, { status: "stale" }, slowness)),
  );
}

/** An error in one line, with all of it on demand. */
function Failure({ object, reason, failure, error }) {
  const link = h(Link, { to: taskInstanceLink(failure.tiKey, "plugin/strategy-refresh") }, "Open the failed task");
  if (!error || formatError(error, object) === error) return h("p", { className: "mstr-reason" }, reason, " ", link);
  return h(
    "details",
    { className: "mstr-reason" },
    h("summary", null, reason, " ", h("span", { className: "mstr-toggle" }, "Details")),
    h("div", { className: "mstr-whole-error" }, error),
    link,
  );
}

const Activity = ({ text, since, progress, waiting }) =>
  h(
    "p",
    { className: "mstr-activity" },
    `${text}${since ? ` since ${formatTime(since, { timeStyle: "short" })}` : ""}.`,
    waiting > 0 && ` ${pluralize(waiting, "other run")} ${waiting === 1 ? "waits" : "wait"} for it.`,
    progress.total > 0 && h(ProgressBar, { done: progress.finished, total: progress.total, label: "Tables loaded" }),
  );

export const Footer = ({ readCount, total, loadMore }) =>
  h(
    "footer",
    { className: "mstr-muted" },
    `Based on ${readCount < total ? `the last ${readCount.toLocaleString()} of ` : ""}${pluralize(total, "task run")} you can access. `,
    loadMore && h("button", { type: "button", onClick: loadMore }, "Load older runs"),
  );

globalThis["Strategy refreshes"] = Page;
