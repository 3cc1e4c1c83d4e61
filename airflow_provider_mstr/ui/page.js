// SPDX-License-Identifier: Apache-2.0
// The page "Data models": every model that this Airflow refreshes, what needs attention first.

import { linkTo, linkToDag } from "./airflow.js";
import { Fragment, Link, Styles, h, timeOf, useMemo, useState } from "./host.js";
import { useModels } from "./models.js";
import { Chart, Meter, Notice, Sign } from "./parts.js";
import { NAMES, RANKS, taskOf, titleOf } from "./standing.js";
import { count, roughly, short, span } from "./words.js";

function Page() {
  const models = useModels();
  const [sought, setSought] = useState("");
  const [rank, setRank] = useState(null);
  const shown = useMemo(
    () => models.standings.filter((each) => (!rank || each.rank === rank) && matches(each, sought)),
    [models.standings, sought, rank],
  );
  return h(
    "section",
    { className: "mstr", "aria-labelledby": "mstr-heading" },
    h(Styles),
    h(
      "header",
      { className: "mstr-header" },
      h("h1", { id: "mstr-heading" }, "Data models"),
      models.standings.length > 0 && h(Ranks, { standings: models.standings, rank, setRank }),
      models.standings.length > 0 &&
        h("input", {
          type: "search",
          className: "mstr-search",
          placeholder: "Filter by name, project or DAG",
          "aria-label": "Filter by name, project or DAG",
          value: sought,
          onChange: ({ target }) => setSought(target.value),
        }),
    ),
    models.problem && h(Problem, models),
    h(Body, { ...models, shown, isFiltered: Boolean(sought || rank) }),
    models.total > 0 && h(Footer, models),
  );
}

const matches = ({ model }, sought) => {
  const { name, id, project, conn, attempts } = model;
  const places = new Set(attempts.flatMap(({ dag, task, label, place }) => [dag, task, label, place.dagId]));
  const text = [name, id, project, conn, ...places].join("\n").toLowerCase();
  return sought.toLowerCase().split(/\s+/).every((word) => text.includes(word));
};

function Ranks({ standings, rank, setRank }) {
  const of = (each) => standings.filter((standing) => standing.rank === each).length;
  return h(
    "div",
    { className: "mstr-ranks", role: "group", "aria-label": "Show only" },
    RANKS.filter((each) => of(each) || each === rank).map((each) =>
      h(
        "button",
        { key: each, type: "button", "aria-pressed": rank === each, onClick: () => setRank(rank === each ? null : each) },
        h(Sign, { rank: each }, `${of(each)} ${NAMES[each].toLowerCase()}`),
      ),
    ),
  );
}

function Body({ shown, standings, isLoading, problem, isFiltered }) {
  if (shown.length) return h(Table, { shown });
  if (isLoading) return h(Notice, { title: "Reading the refreshes of this Airflow …" });
  if (isFiltered && standings.length) return h(Notice, { title: "No data model is like that." }, h("p", null, "Change the filter to see others."));
  if (problem) return null;
  return h(
    Notice,
    { title: "No data model has been refreshed yet." },
    h(
      "p",
      null,
      "Models show here once a task of ",
      h("code", null, "MstrRefreshDataModelOperator"),
      " or ",
      h("code", null, "refresh_data_model"),
      " has run in a DAG that you may see. Start such a DAG to see it here.",
    ),
  );
}

const Problem = ({ problem, asOf }) =>
  h(
    Notice,
    { role: "alert", title: problem.words },
    asOf > 0 && h("p", null, `What is shown is as of ${timeOf(asOf)}.`),
  );

const Table = ({ shown }) =>
  h(
    "table",
    { className: "mstr-models" },
    h("caption", { className: "mstr-unseen" }, "Data models, what needs attention first"),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        ["Standing", "Data model", "Last success", "Now", "Duration", "Successes", "DAG and task"].map((title) =>
          h("th", { key: title, scope: "col" }, title),
        ),
      ),
    ),
    h("tbody", null, shown.map((standing) => h(Row, { key: standing.model.key, standing }))),
  );

function Row({ standing }) {
  const { model, rank, why, latest, failure, error } = standing;
  const { id, name, project, conn } = model;
  return h(
    "tr",
    { className: `mstr-row mstr-is-${rank}` },
    h("td", null, h(Sign, { rank })),
    h(
      "th",
      { scope: "row" },
      h(Link, { to: linkTo(latest.place, "plugin/data-model"), className: "mstr-name", title: id || undefined }, titleOf(model)),
      h("span", { className: "mstr-muted" }, [!name && short(id), short(project), conn !== "mstr_default" && conn].filter(Boolean).join(" · ")),
      h(
        "span",
        { className: "mstr-why", title: error || undefined },
        why,
        failure && failure.key !== latest.key && h(Fragment, null, " ", h(Link, { to: linkTo(failure.place, "plugin/data-model") }, "See it")),
      ),
    ),
    h("td", { "data-title": "Last success" }, h(LastSuccess, standing)),
    h("td", { "data-title": "Now", className: standing.running ? undefined : "mstr-nothing" }, h(Now, standing)),
    h("td", { "data-title": "Duration", className: standing.ended.length ? undefined : "mstr-nothing" }, h(Durations, standing)),
    h("td", { "data-title": "Successes", className: "mstr-number" }, standing.ended.length ? `${standing.successes} of ${standing.ended.length}` : "–"),
    h("td", { "data-title": "DAG and task" }, h(Tasks, { model })),
  );
}

const LastSuccess = ({ lastSuccess, age }) =>
  lastSuccess
    ? age === null
      ? h("span", { className: "mstr-muted" }, "at an unknown time")
      : h(Fragment, null, h("strong", null, `${roughly(age)} ago`), h("span", { className: "mstr-muted" }, timeOf(lastSuccess.end)))
    : h("span", { className: "mstr-muted" }, "none known");

const Now = ({ running, progress }) =>
  running
    ? h(
        Fragment,
        null,
        h("span", null, running),
        progress?.all > 0 && h(Meter, { done: progress.finished, all: progress.all, label: "Tables loaded" }),
      )
    : "–";

const Durations = ({ ended, lastSeconds, median }) =>
  ended.length
    ? h(
        "span",
        { className: "mstr-durations" },
        h(Chart, { ended, median, lastSeconds }),
        lastSeconds !== null &&
          h("span", { "aria-hidden": true }, h("strong", null, span(lastSeconds)), h("span", { className: "mstr-muted" }, `median ${span(median)}`)),
      )
    : "–";

const MOST_TASKS = 3;

function Tasks({ model }) {
  const tasks = new Map(model.attempts.toReversed().map((attempt) => [JSON.stringify([attempt.dag, taskOf(attempt)]), attempt]));
  const newestFirst = [...tasks.values()].reverse();
  return h(
    Fragment,
    null,
    newestFirst.slice(0, MOST_TASKS).map(({ key, dag, place, ...attempt }) =>
      h(
        "span",
        { key, className: "mstr-task" },
        h(Link, { to: linkToDag(place.dagId) }, dag),
        " › ",
        h(Link, { to: linkTo(place) }, taskOf(attempt)),
      ),
    ),
    newestFirst.length > MOST_TASKS && h("span", { className: "mstr-muted" }, `and ${count(newestFirst.length - MOST_TASKS, "other task")}`),
  );
}

const Footer = ({ read, total, readMore }) =>
  h(
    "footer",
    { className: "mstr-muted" },
    `From ${read < total ? `the last ${read.toLocaleString()} of ` : ""}${count(total, "task instance")} that Airflow keeps and you may see. `,
    readMore && h("button", { type: "button", onClick: readMore }, "Read older ones"),
  );

globalThis["Data models"] = Page;
