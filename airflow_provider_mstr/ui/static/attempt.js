// SPDX-License-Identifier: Apache-2.0
// One attempt of a refresh: its status, and each table as a bar on a shared time axis.

import { now } from "./airflow_api.js";
import { Fragment, formatClockTime, formatTime, h, useEffect, useState } from "./airflow_ui.js";
import { ProgressBar, StatusBadge } from "./components.js";
import { firstSentence, formatDuration, pluralize } from "./format.js";
import { compareWithUsual } from "./history.js";
import { countTables } from "./progress.js";
import { UNREADABLE_LOG, isLongerThanUsual } from "./status.js";

const MAX_NAMES = 5;
// The unfinished tables of a longer list are named above it.
const SHORT_LIST = 10;
const TICK_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400];
const WAITING_STATES = /^(reserved|pending|queued|waiting)/i;

export function Attempt({ number, state, start, end, progress, usual, isLatest, isOnly }) {
  const summary = summarizeAttempt({ state, start, progress, usual });
  const body = h(
    Fragment,
    null,
    h(Summary, { ...summary, error: summary.status === "failing" ? progress.error : "", isLatest }),
    progress.tables.length > 0 && h(Timeline, { progress, isRunning: summary.isRunning, end }),
  );
  if (isOnly) return h("div", { className: "mstr-attempt" }, body);
  const heading = h(Fragment, null, h("strong", null, `Attempt ${number}`), start && h("span", { className: "mstr-muted" }, ` started ${formatTime(start)}`));
  return isLatest
    ? h("section", { className: "mstr-attempt" }, h("h3", null, heading), body)
    : h(
        "details",
        { className: "mstr-attempt" },
        h("summary", null, heading, " ", h(StatusBadge, { status: summary.status }, summary.label), " ", progress.error && firstSentence(progress.error)),
        body,
      );
}

/** Return the status, label and description of an attempt, and the start of the time that passes while it runs. */
function summarizeAttempt({ state, start, progress, usual }) {
  const { tables, endSeconds, error, isReadable } = progress;
  const { total, finished, running } = countTables(progress);
  switch (state) {
    case "success":
      return { status: "up-to-date", label: "Loaded", description: describeSuccess(progress, total, usual) };
    case "failed":
    case "upstream_failed":
    case "up_for_retry": {
      const unknown = running ? `; status unknown: ${nameUnfinished(tables)}` : "";
      const loaded = total ? `${describeLoaded(finished, total)}${unknown}.` : "";
      const after = endSeconds === null ? "" : `after ${formatDuration(endSeconds)}.`;
      const cause = error ? "" : describeMissingError(state, isReadable);
      const retry = state === "up_for_retry" ? "Airflow retries the task automatically." : "";
      return { status: "failing", label: "Failed", description: [after, loaded, cause, retry].filter(Boolean).join(" ") };
    }
    case "skipped":
    case "removed":
      return { status: "never", label: "Skipped", description: "Nothing was loaded." };
    case "queued":
    case "scheduled":
      return { status: "queued", label: "Queued", description: `The refresh has not started.${usual ? ` It usually takes ${formatDuration(usual.seconds)}.` : ""}` };
  }
  return { ...summarizeRunning({ start, progress, total, finished, usual }), isRunning: true, total, finished };
}

function summarizeRunning({ start, progress, total, finished, usual }) {
  const { tables, isBusy, busySince, unavailableSince, startedAt, jobStatus, lastMessage } = progress;
  const loaded = total ? describeLoaded(finished, total) : "";
  if (unavailableSince !== null) {
    const before = total ? ` ${loaded} before.` : "";
    return { status: "unavailable", label: "Server not answering", description: `since ${formatClockTime(unavailableSince)}; retrying.${before}`, since: unavailableSince };
  }
  if (isBusy) return { status: "waiting", label: "Waiting for another refresh", description: "This refresh starts when the other one has ended.", since: busySince };
  if (!startedAt && !total) return { status: "running", label: "Starting", description: lastMessage || "The refresh is starting." };
  const job = jobStatus && `The job's status is "${jobStatus.replaceAll("_", " ")}"`;
  return {
    status: "running",
    label: "Loading",
    description: finished < total ? loaded + (total > SHORT_LIST ? `; left: ${nameUnfinished(tables)}` : "") : total ? `${loaded}. Waiting for the server to finish` : job || lastMessage,
    since: startedAt ?? start,
    usual,
  };
}

const describeLoaded = (finished, total) => `${finished.toLocaleString()} of ${pluralize(total, "table")} loaded`;

function describeSuccess({ endSeconds, outcome }, total, usual) {
  const duration = endSeconds === null ? "" : `in ${formatDuration(endSeconds)}${compareWithUsual(endSeconds, usual, "usually")}`;
  const loaded = [total ? pluralize(total, "table") : "", duration].filter(Boolean).join(" ");
  return total && outcome?.areTablesConfirmed === false ? `${loaded}. The server reported success, but no status for each table.` : loaded;
}

function describeMissingError(state, isReadable) {
  if (state === "upstream_failed") return "An upstream task failed. Open that task for details.";
  if (isReadable) return "The log contains no error: a user marked the task as failed, or its worker was lost.";
  return `The cause is unknown: ${UNREADABLE_LOG}.`;
}

function nameUnfinished(tables) {
  const names = tables.filter(({ state }) => state === "running").map(({ name }) => name);
  return names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "");
}

const Summary = ({ status, label, description, error, isLatest, isRunning, total, finished, since, usual }) =>
  h(
    "div",
    { className: `mstr-summary mstr-is-${status}` },
    // A screen reader does not read the time each second.
    h("div", { "aria-live": isLatest ? "polite" : undefined }, h(StatusBadge, { status }, label), description && h("span", null, description)),
    since && h(Elapsed, { since, usual }),
    isRunning && total > 0 && h(ProgressBar, { done: finished, total, label: "Tables loaded" }),
    error && h("p", { className: "mstr-error", role: "note", "aria-label": "Error" }, error),
  );

function Elapsed({ since, usual = null }) {
  const seconds = Math.max(0, useTime(true) - since) / 1000;
  return h("span", { className: `mstr-elapsed${isLongerThanUsual(seconds, usual) ? " mstr-stale" : ""}` }, `${formatDuration(seconds)} so far${compareWithUsual(seconds, usual, "usually takes")}`);
}

function Timeline({ progress, isRunning, end }) {
  const time = useTime(isRunning);
  const { startedAt, endSeconds, unavailableSince, tables } = progress;
  const lastChange = Math.max(endSeconds ?? 0, ...tables.map(({ seconds, history }) => seconds ?? history.at(-1)?.from ?? 0));
  const secondsOf = (timestamp) => (startedAt && timestamp ? (timestamp - startedAt) / 1000 : 0);
  const length = Math.max(lastChange, endSeconds === null ? secondsOf(isRunning ? time : end) : 0, 1);
  // The states of the tables are not known while the server does not answer.
  const knownUntil = unavailableSince === null ? length : Math.min(Math.max(lastChange, secondsOf(unavailableSince)), length);
  return h(
    "table",
    { className: "mstr-tables" },
    h("caption", { className: "mstr-visually-hidden" }, "Tables of the refresh. Times count from the start of the load."),
    h(
      "thead",
      null,
      h("tr", null, ["Table", "Policy", "State", "Finished", "Load time"].map((title) => h("th", { key: title, scope: "col" }, title)), h("th", { scope: "col", className: "mstr-axis" }, h(Axis, { length }))),
    ),
    h("tbody", null, tables.map((table) => h(TableRow, { key: table.id, table, length, knownUntil, isRunning }))),
  );
}

function Axis({ length }) {
  const step = TICK_STEPS.find((each) => length / each <= 5) ?? 86400 * Math.ceil(length / 432000);
  const ticks = Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step);
  return h(
    "span",
    { className: "mstr-ticks" },
    h("span", { className: "mstr-visually-hidden" }, "Time axis"),
    // A label at the right end does not fit.
    ticks.filter((tick) => tick / length < 0.86).map((tick) => h("span", { key: tick, "aria-hidden": true, style: { left: `${(100 * tick) / length}%` } }, tick ? formatDuration(tick) : "0")),
  );
}

function TableRow({ table, length, knownUntil, isRunning }) {
  const [status, label] = tableStatus(table, isRunning);
  const { state, seconds, serverState } = table;
  const loadSeconds = state !== "running" && seconds !== null ? seconds - loadingFrom(table) : NaN;
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, table.name),
    h("td", { "data-title": "Policy" }, table.policy || "–"),
    h("td", { "data-title": "State", title: serverState || undefined }, h(StatusBadge, { status }, label)),
    h("td", { className: "mstr-number", "data-title": "Finished" }, state !== "running" && seconds !== null ? `+${formatDuration(seconds)}` : "–"),
    h("td", { className: "mstr-number", "data-title": "Load time" }, loadSeconds >= 0 ? formatDuration(loadSeconds) : "–"),
    h("td", { className: "mstr-track", "aria-hidden": true }, tableBars(table, length, knownUntil, isRunning)),
  );
}

function tableStatus({ state, serverState }, isRunning) {
  if (state === "finished") return ["up-to-date", "Loaded"];
  if (state === "failed") return ["failing", "Failed"];
  if (!isRunning) return ["never", "Unknown"];
  return !serverState || WAITING_STATES.test(serverState) ? ["never", "Waiting"] : ["running", "Loading"];
}

/** When a table was first seen loading, in seconds since the start of the load; undefined if it was not. */
const loadingFrom = ({ history }) => history.find(({ serverState, state }) => state === "running" && !WAITING_STATES.test(serverState))?.from;

/** The bars of a table: one for its waiting time, one for its loading time, and one for the time since the server does not answer. */
function tableBars(table, length, knownUntil, isRunning) {
  const isFinished = table.state !== "running";
  const end = isFinished ? (table.seconds ?? length) : knownUntil;
  const start = Math.min(loadingFrom(table) ?? (isFinished ? 0 : end), end);
  const bar = (kind, left, right) =>
    right > left && h("span", { key: kind, className: `mstr-bar mstr-bar-${kind}`, style: { left: `${(100 * left) / length}%`, width: `${(100 * (right - left)) / length}%` } });
  const kind = table.state === "failed" ? "failed" : isFinished ? "loaded" : isRunning ? "loading" : "unknown";
  return [bar("waiting", 0, start), bar(kind, start, end), !isFinished && bar("unknown", end, length)];
}

/** The time of Airflow's clock, updated each second while the refresh runs. */
function useTime(isRunning) {
  const [time, setTime] = useState(now());
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(() => setTime(now()), 1000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return time;
}
