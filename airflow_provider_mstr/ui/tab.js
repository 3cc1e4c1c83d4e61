// SPDX-License-Identifier: Apache-2.0
// The tab "Data model" of a task instance: the refresh, table by table and attempt by attempt.

import { Refused, linkTo, listed, log, taskInstance, tries, xcom, xcomKeys } from "./airflow.js";
import { Attempt } from "./attempt.js";
import { Fragment, Link, Styles, h, useEffect, useEvery, useRef, useState } from "./host.js";
import { Notice } from "./parts.js";
import { complete, outcomeOf, read } from "./progress.js";
import { pageOf } from "./shapes.js";
import { OPERATORS, STEPS, attemptOf, titleOf } from "./standing.js";
import { short } from "./words.js";

const LINK = "mstr_data_model_link";
const OUTCOME = "mstr_outcome";
const EVERY_SECONDS = 3;
const UNREADABLE_OUTCOME = "The outcome of this refresh cannot be shown: it is not in Airflow's database. A custom XCom backend may store it elsewhere.";
const OVER = ["success", "failed", "skipped", "upstream_failed", "removed"];

function Tab({ dagId, runId, taskId, mapIndex }) {
  const place = { dagId, runId, taskId, mapIndex: Number(mapIndex ?? -1) };
  return h("section", { className: "mstr mstr-tab", "aria-label": "Data model" }, h(Styles), h(Refresh, { key: JSON.stringify(place), place }));
}

function Refresh({ place }) {
  const { refresh, problem } = useRefresh(place);
  if (!refresh) return h(Notice, { role: problem ? "alert" : "status", title: problem?.words ?? "Reading the refresh …" });
  if (refresh.kind === "other") return h("p", { className: "mstr-muted" }, "This task refreshes no data model.");
  if (refresh.kind === "step") return h(Step, refresh);
  return h(
    Fragment,
    null,
    h(Heading, refresh),
    problem && h(Notice, { role: "alert", title: problem.words }),
    refresh.isUnreadable && h("p", { className: "mstr-muted", role: "note" }, UNREADABLE_OUTCOME),
    [...refresh.attempts].reverse().map((attempt, index) =>
      h(Attempt, { key: attempt.number, ...attempt, isLatest: index === 0, isOnly: refresh.attempts.length === 1 }),
    ),
  );
}

const Heading = ({ title, id, project, link }) =>
  h(
    "header",
    { className: "mstr-header" },
    h("h2", null, title),
    h("span", { className: "mstr-muted" }, [project && `Project ${short(project)}`, id && `Id ${id}`].filter(Boolean).join(" · ")),
    pageOf(link) && h("a", { href: pageOf(link), target: "_blank", rel: "noreferrer" }, "Open in Strategy ", h("span", { "aria-hidden": true }, "↗")),
  );

const Step = ({ wait, error }) =>
  h(
    Fragment,
    null,
    h(
      "p",
      null,
      "This task is a step of a refresh. ",
      wait ? h(Fragment, null, "The refresh shows on ", h(Link, { to: linkTo(wait, "plugin/data-model") }, wait.taskId), ".") : "The refresh shows on the task that waits for it.",
    ),
    error && h("div", { className: "mstr-error", role: "note", "aria-label": "Error" }, error),
  );

/** What is known of the refresh, and what keeps it from being known. */
function useRefresh(place) {
  const [refresh, setRefresh] = useState(null);
  const [problem, setProblem] = useState(null);
  const ended = useRef(new Map());
  const update = async () => {
    try {
      setRefresh(await refreshOf(place, ended.current));
      setProblem(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setProblem(error);
    }
  };
  useEffect(() => void update(), []);
  useEvery(update, refresh && (refresh.kind !== "refresh" || refresh.isOver) ? null : EVERY_SECONDS);
  return { refresh, problem };
}

/** Read a refresh; what an ended attempt has left is read once, and kept. */
async function refreshOf(place, kept) {
  const ti = await taskInstance(place);
  const { operator, ...model } = attemptOf(ti);
  if (STEPS.includes(operator)) {
    const error = ti.state === "failed" ? read(await log(place, ti.try_number)).error : "";
    return { kind: "step", error, wait: await waitOf(place) };
  }
  const keys = await xcomKeys(place);
  // An operator that is derived from ours has another name, but pushes the same.
  if (!OPERATORS.includes(operator) && !keys.has(LINK)) return { kind: "other" };
  const pushed = async (key) => (keys.has(key) ? xcom(place, key) : null);
  const [link, outcome] = [await pushed(LINK), await pushed(OUTCOME)];
  const isOver = OVER.includes(ti.state);
  const all = ti.try_number > 0 ? await tries(place) : [];
  const attempts = [];
  for (const each of all) {
    const number = each.try_number;
    const isLatest = number === ti.try_number;
    const state = isLatest ? (ti.state ?? "scheduled") : each.state === "up_for_retry" ? "failed" : each.state;
    const progress = kept.get(number) ?? complete(read(await log(place, number)), { handle: model.handle, outcome: isLatest ? outcome : null });
    if (!isLatest || isOver) kept.set(number, progress);
    attempts.push({ number, state, start: moment(each.start_date), end: moment(each.end_date), progress });
  }
  const last = attempts.at(-1)?.progress.outcome;
  const id = model.id || last?.data_model_id || "";
  return {
    kind: "refresh",
    isOver,
    link,
    // A custom XCom backend may store a reference instead.
    isUnreadable: outcome !== null && !outcomeOf(outcome) && !last,
    attempts: attempts.length ? attempts : [{ number: 1, state: ti.state ?? "scheduled", start: null, end: null, progress: read(null) }],
    id,
    title: model.name || last?.data_model || titleOf({ attempts: [model], id }),
    project: last?.project || model.project || last?.project_id || "",
  };
}

const moment = (text) => (text ? Date.parse(text) : null);

/** The task that waits for the refresh that a step belongs to. */
async function waitOf({ dagId, runId, taskId, mapIndex }) {
  const { instances } = await listed(dagId, runId, { operator: "MstrPublishStatusSensor" });
  const group = taskId.slice(0, taskId.lastIndexOf(".") + 1);
  const places = instances.map((each) => attemptOf(each)?.place);
  const found = places.filter((each) => each?.taskId.startsWith(group) && [mapIndex, -1].includes(each.mapIndex));
  return found.length === 1 ? found[0] : null;
}

globalThis["Data model"] = Tab;
