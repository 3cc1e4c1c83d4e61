// SPDX-License-Identifier: Apache-2.0
// The page "Data models": every model that this Airflow refreshes, most urgent first.

import { dagLink, taskInstanceLink } from "./airflow_api.js";
import { Fragment, Link, Styles, formatTime, h, useMemo, useState } from "./airflow_ui.js";
import { Chart, Notice, ProgressBar, StatusBadge } from "./components.js";
import { formatAge, formatDuration, pluralize, shortenId } from "./format.js";
import { useModels } from "./models.js";
import { STATUSES, STATUS_LABELS, matchesFilter, modelTitle, taskLabel } from "./status.js";

const FILTER_LABEL = "Filter by name, project or DAG";

function Page() {
  const models = useModels();
  const [filter, setFilter] = useState("");
  const [status, setStatus] = useState(null);
  const shown = useMemo(
    () => models.summaries.filter((each) => (!status || each.status === status) && matchesFilter(each.model, filter)),
    [models.summaries, filter, status],
  );
  return h(
    "section",
    { className: "mstr", "aria-labelledby": "mstr-heading" },
    h(Styles),
    h(
      "header",
      { className: "mstr-header" },
      h("h1", { id: "mstr-heading" }, "Data models"),
      models.summaries.length > 0 && h(StatusFilter, { summaries: models.summaries, status, setStatus }),
      models.summaries.length > 0 &&
        h("input", {
          type: "search",
          className: "mstr-search",
          placeholder: FILTER_LABEL,
          "aria-label": FILTER_LABEL,
          value: filter,
          onChange: ({ target }) => setFilter(target.value),
        }),
    ),
    models.error && h(ErrorNotice, models),
    h(Body, { ...models, shown, isFiltered: Boolean(filter || status) }),
    models.total > 0 && h(Footer, models),
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
  if (isLoading) return h(Notice, { title: "Loading data models …" });
  if (isFiltered && summaries.length) return h(Notice, { title: "No data models match this filter." }, h("p", null, "Change or clear the filter."));
  if (error) return null;
  return h(
    Notice,
    { title: "No data models have been refreshed yet." },
    h(
      "p",
      null,
      "A data model appears here once a task of ",
      h("code", null, "MstrRefreshDataModelOperator"),
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
    { className: "mstr-models" },
    h("caption", { className: "mstr-visually-hidden" }, "Data models, most urgent first"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        ["Status", "Data model", "Last success", "Current run", "Duration", "Successes", "DAG and task"].map((title) =>
          h("th", { key: title, scope: "col" }, title),
        ),
      ),
    ),
    h("tbody", null, shown.map((summary) => h(Row, { key: summary.model.key, summary }))),
  );

function Row({ summary }) {
  const { model, status, reason, latest, failure, error, finished } = summary;
  const { id, name, project, conn } = model;
  const emptyClass = (hasValue) => (hasValue ? undefined : "mstr-empty");
  return h(
    "tr",
    { className: `mstr-row mstr-is-${status}` },
    h("td", null, h(StatusBadge, { status })),
    h(
      "th",
      { scope: "row" },
      h(Link, { to: taskInstanceLink(latest.tiKey, "plugin/data-model"), className: "mstr-name", title: id || undefined }, modelTitle(model)),
      h("span", { className: "mstr-muted" }, [!name && shortenId(id), shortenId(project), conn !== "mstr_default" && conn].filter(Boolean).join(" · ")),
      h(
        "span",
        { className: "mstr-reason", title: error || undefined },
        reason,
        failure && failure.key !== latest.key && h(Fragment, null, " ", h(Link, { to: taskInstanceLink(failure.tiKey, "plugin/data-model") }, "View failed task")),
      ),
    ),
    h("td", { "data-title": "Last success" }, h(LastSuccess, summary)),
    h("td", { "data-title": "Current run", className: emptyClass(summary.activity) }, h(CurrentRun, summary)),
    h("td", { "data-title": "Duration", className: emptyClass(finished.length) }, h(Durations, summary)),
    h("td", { "data-title": "Successes", className: "mstr-number" }, finished.length ? `${summary.successCount} of ${finished.length}` : "–"),
    h("td", { "data-title": "DAG and task" }, h(Tasks, { model })),
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

function Tasks({ model }) {
  const tasks = new Map(model.runs.toReversed().map((run) => [JSON.stringify([run.dag, taskLabel(run)]), run]));
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

globalThis["Data models"] = Page;
