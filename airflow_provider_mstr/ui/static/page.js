// SPDX-License-Identifier: Apache-2.0
// The page "Strategy refreshes": every object that this Airflow refreshes, most urgent first.

import { dagLink, taskInstanceLink } from "./airflow_api.js";
import { Fragment, Link, Styles, formatTime, h, useMemo, useState } from "./airflow_ui.js";
import { Chart, Notice, ProgressBar, StatusBadge } from "./components.js";
import { formatAge, formatDuration, pluralize, shortenId } from "./format.js";
import { KIND_LABELS } from "./kinds.js";
import { useObjects } from "./objects.js";
import { STATUSES, STATUS_LABELS, matchesFilter, objectTitle, taskLabel } from "./status.js";

const FILTER_LABEL = "Filter by name, kind, project or DAG";

function Page() {
  const objects = useObjects();
  const [filter, setFilter] = useState(() => new URLSearchParams(globalThis.location.search).get("filter") ?? "");
  const [status, setStatus] = useState(null);
  const shown = useMemo(
    () => objects.summaries.filter((each) => (!status || each.status === status) && matchesFilter(each.object, filter)),
    [objects.summaries, filter, status],
  );
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
    h(Body, { ...objects, shown, isFiltered: Boolean(filter || status) }),
    objects.total > 0 && h(Footer, objects),
  );
}

function StatusFilter({ summaries, status, setStatus }) {
  const count = (each) => summaries.filter((summary) => summary.status === each).length;
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

export function Body({ shown, summaries, isLoading, error, isFiltered }) {
  if (shown.length) return h(Table, { shown });
  if (isLoading) return h(Notice, { title: "Loading refreshes …" });
  if (isFiltered && summaries.length) return h(Notice, { title: "No objects match this filter." }, h("p", null, "Change or clear the filter."));
  if (error) return null;
  return h(
    Notice,
    { title: "Nothing has been refreshed yet." },
    h(
      "p",
      null,
      "A data model, cube or incremental refresh report appears here once a task of ",
      h("code", null, "MstrRefreshDataModelOperator"),
      ", ",
      h("code", null, "MstrRefreshCubeOperator"),
      ", ",
      h("code", null, "MstrRunIncrementalRefreshOperator"),
      " or ",
      h("code", null, "refresh_data_model"),
      " has run in a DAG that you can access.",
    ),
  );
}

const ErrorNotice = ({ error, updatedAt }) =>
  h(
    Notice,
    { role: "alert", title: error.advice },
    updatedAt > 0 && h("p", null, `Last updated: ${formatTime(updatedAt)}.`),
  );

const Table = ({ shown }) =>
  h(
    "table",
    { className: "mstr-objects" },
    h("caption", { className: "mstr-visually-hidden" }, "Objects, most urgent first"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        ["Status", "Object", "Last success", "Current run", "Duration", "Successes", "DAG and task"].map((title) =>
          h("th", { key: title, scope: "col" }, title),
        ),
      ),
    ),
    h("tbody", null, shown.map((summary) => h(Row, { key: summary.object.key, summary }))),
  );

function Row({ summary }) {
  const { object, status, reason, latest, failure, error, finished } = summary;
  const { kind, id, name, project, conn } = object;
  const emptyClass = (hasValue) => (hasValue ? undefined : "mstr-empty");
  return h(
    "tr",
    { className: `mstr-row mstr-is-${status}` },
    h("td", null, h(StatusBadge, { status })),
    h(
      "th",
      { scope: "row" },
      h(Link, { to: taskInstanceLink(latest.tiKey, "plugin/strategy-refresh"), className: "mstr-name", title: id || undefined }, objectTitle(object)),
      h("span", { className: "mstr-muted" }, [KIND_LABELS[kind], !name && shortenId(id), shortenId(project), conn !== "mstr_default" && conn].filter(Boolean).join(" · ")),
      h(
        "span",
        { className: "mstr-reason", title: error || undefined },
        reason,
        failure && failure.key !== latest.key && h(Fragment, null, " ", h(Link, { to: taskInstanceLink(failure.tiKey, "plugin/strategy-refresh") }, "View failed task")),
      ),
    ),
    h("td", { "data-title": "Last success" }, h(LastSuccess, summary)),
    h("td", { "data-title": "Current run", className: emptyClass(summary.activity) }, h(CurrentRun, summary)),
    h("td", { "data-title": "Duration", className: emptyClass(finished.length) }, h(Durations, summary)),
    h("td", { "data-title": "Successes", className: "mstr-number" }, finished.length ? `${summary.successCount} of ${finished.length}` : "–"),
    h("td", { "data-title": "DAG and task" }, h(Tasks, { object })),
  );
}

const LastSuccess = ({ lastSuccess, age }) =>
  lastSuccess
    ? age === null
      ? h("span", { className: "mstr-muted" }, "Unknown time")
      : h(Fragment, null, h("strong", null, `${formatAge(age)} ago`), h("span", { className: "mstr-muted" }, formatTime(lastSuccess.end)))
    : h("span", { className: "mstr-muted" }, "None found");

const CurrentRun = ({ activity, progress }) =>
  activity
    ? h(
        Fragment,
        null,
        h("span", null, activity),
        progress?.total > 0 && h(ProgressBar, { done: progress.finished, total: progress.total, label: "Tables loaded" }),
      )
    : "–";

const Durations = ({ finished, lastSeconds, medianSeconds }) =>
  finished.length
    ? h(
        "span",
        { className: "mstr-durations" },
        h(Chart, { finished, medianSeconds, lastSeconds }),
        lastSeconds !== null &&
          h("span", { "aria-hidden": true }, h("strong", null, formatDuration(lastSeconds)), h("span", { className: "mstr-muted" }, `median ${formatDuration(medianSeconds)}`)),
      )
    : "–";

const MAX_TASKS = 3;

function Tasks({ object }) {
  const tasks = new Map(object.runs.toReversed().map((run) => [JSON.stringify([run.dag, taskLabel(run)]), run]));
  const newestFirst = [...tasks.values()].reverse();
  return h(
    Fragment,
    null,
    newestFirst.slice(0, MAX_TASKS).map((run) =>
      h(
        "span",
        { key: run.key, className: "mstr-task" },
        h(Link, { to: dagLink(run.tiKey.dagId) }, run.dag),
        " › ",
        h(Link, { to: taskInstanceLink(run.tiKey) }, taskLabel(run)),
      ),
    ),
    newestFirst.length > MAX_TASKS && h("span", { className: "mstr-muted" }, `and ${pluralize(newestFirst.length - MAX_TASKS, "other task")}`),
  );
}

export const Footer = ({ readCount, total, loadMore }) =>
  h(
    "footer",
    { className: "mstr-muted" },
    `Based on ${readCount < total ? `the last ${readCount.toLocaleString()} of ` : ""}${pluralize(total, "task run")} you can access. `,
    loadMore && h("button", { type: "button", onClick: loadMore }, "Load older runs"),
  );

globalThis["Strategy refreshes"] = Page;
