// SPDX-License-Identifier: Apache-2.0
// One attempt of a refresh: its status, and each table as a bar on a shared time axis.

import { now } from "./airflow_api.js";
import { Fragment, formatTime, h, useEffect, useState } from "./airflow_ui.js";
import { ProgressBar, StatusBadge } from "./components.js";
import { firstSentence, formatDuration, pluralize } from "./format.js";
import { countTables } from "./progress.js";
import { UNREADABLE_LOG } from "./status.js";

const MAX_NAMES = 5;
const TICK_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400];
const WAITING_STATES = /^(reserved|pending|queued|waiting)/i;

export function Attempt({ number, state, start, end, progress, isLatest, isOnly }) {
  const summary = summarizeAttempt(state, progress);
  const body = h(
    Fragment,
    null,
    h(Summary, { ...summary, isLatest }),
    progress.error && summary.status === "failing" && h("div", { className: "mstr-error", role: "note", "aria-label": "Error" }, progress.error),
    progress.tables.length > 0 ? h(Timeline, { progress, isRunning: summary.isRunning, end }) : h(JobDetails, { progress, ...summary }),
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

/** Return the status, label and description of an attempt. */
function summarizeAttempt(state, progress) {
  const { tables, outcome, endSeconds, lastMessage, error, isReadable } = progress;
  const { total, finished, running } = countTables(progress);
  const ofTables = `${finished} of ${pluralize(total, "table")} loaded`;
  const unfinishedNames = joinNames(tables.filter((table) => table.state === "running").map(({ name }) => name));
  switch (state) {
    case "success": {
      const seconds = endSeconds !== null ? ` in ${formatDuration(endSeconds)}` : "";
      const unconfirmed = outcome?.areTablesConfirmed === false ? " The server reported success, but no status for each table." : "";
      return { status: "up-to-date", label: "Loaded", description: total ? `${pluralize(total, "table")} loaded${seconds}.${unconfirmed}` : "The load is finished." };
    }
    case "failed":
    case "upstream_failed":
    case "up_for_retry": {
      const loaded = running ? `${ofTables}; status unknown: ${unfinishedNames}.` : "";
      const cause = error ? "" : describeMissingError(state, isReadable);
      const retry = state === "up_for_retry" ? "Airflow retries the task automatically." : "";
      return { status: "failing", label: "Failed", description: [loaded, cause, retry].filter(Boolean).join(" ") };
    }
    case "skipped":
    case "removed":
      return { status: "never", label: "Skipped", description: "Nothing was loaded." };
    case "queued":
    case "scheduled":
      return { status: "never", label: "Queued", description: "The refresh has not started." };
  }
  const waiting = running ? `Waiting for ${unfinishedNames}.` : "Waiting for the publish to finish.";
  return { status: "running", label: "Running", description: total ? `${ofTables}. ${waiting}` : lastMessage || "The refresh is starting.", isRunning: true, total, finished };
}

function describeMissingError(state, isReadable) {
  if (state === "upstream_failed") return "An upstream task failed. Open that task for details.";
  if (isReadable) return "The log contains no error: a user marked the task as failed, or its worker was lost.";
  return `The cause is unknown: ${UNREADABLE_LOG}.`;
}

const joinNames = (names) =>
  names.slice(0, MAX_NAMES).join(", ") + (names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "");

const Summary = ({ status, label, description, isLatest, isRunning, total, finished }) =>
  h(
    "div",
    { className: "mstr-summary", "aria-live": isLatest ? "polite" : undefined },
    h(StatusBadge, { status }, label),
    description && h("span", null, description),
    isRunning && total > 0 && h(ProgressBar, { done: finished, total, label: "Tables loaded" }),
  );

/** What is known of a refresh without tables: its duration, and the server's word for the status of its job. */
function JobDetails({ progress, status, isRunning }) {
  const time = useTime(isRunning);
  const { startedAt, endSeconds, jobStatus } = progress;
  const seconds = isRunning && startedAt ? (time - startedAt) / 1000 : endSeconds;
  const details = [
    ["Duration", seconds !== null && formatDuration(seconds)],
    // The error of a failure contains the last status.
    [isRunning ? "Job status" : "Last job status", status !== "failing" && jobStatus.replaceAll("_", " ")],
  ].filter(([, value]) => value);
  return details.length > 0 && h("dl", { className: "mstr-details" }, details.map(([title, value]) => h("div", { key: title }, h("dt", null, title), h("dd", null, value))));
}

function Timeline({ progress, isRunning, end }) {
  const time = useTime(isRunning);
  const { startedAt, endSeconds, tables } = progress;
  const lastChange = Math.max(endSeconds ?? 0, ...tables.map(({ seconds, history }) => seconds ?? history.at(-1)?.from ?? 0));
  const until = isRunning ? time : end;
  const elapsed = startedAt && until && endSeconds === null ? (until - startedAt) / 1000 : 0;
  const length = Math.max(lastChange, elapsed, 1);
  return h(
    "table",
    { className: "mstr-tables" },
    h("caption", { className: "mstr-visually-hidden" }, "Tables of the refresh. Times are seconds since the publish started."),
    h(
      "thead",
      null,
      h("tr", null, ["Table", "Policy", "State", "Time"].map((title) => h("th", { key: title, scope: "col" }, title)), h("th", { scope: "col", className: "mstr-axis" }, h(Axis, { length }))),
    ),
    h("tbody", null, tables.map((table) => h(TableRow, { key: table.id, table, length, isRunning }))),
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
    ticks.filter((tick) => tick / length < 0.93).map((tick) => h("span", { key: tick, "aria-hidden": true, style: { left: `${(100 * tick) / length}%` } }, tick ? formatDuration(tick) : "0")),
  );
}

function TableRow({ table, length, isRunning }) {
  const [status, label] = tableStatus(table, isRunning);
  const isFinished = table.state !== "running";
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, table.name),
    h("td", null, table.policy),
    h("td", { title: table.serverState || undefined }, h(StatusBadge, { status }, label)),
    h("td", { className: "mstr-number" }, isFinished && table.seconds !== null ? formatDuration(table.seconds) : "–"),
    h("td", { className: "mstr-track", "aria-hidden": true }, tableBars(table, length, isRunning)),
  );
}

function tableStatus({ state, serverState }, isRunning) {
  if (state === "finished") return ["up-to-date", "Loaded"];
  if (state === "failed") return ["failing", "Failed"];
  if (!isRunning) return ["never", "Unknown"];
  return !serverState || WAITING_STATES.test(serverState) ? ["never", "Waiting"] : ["running", "Loading"];
}

/** The bars of a table: one for its waiting time, one for its loading time. */
function tableBars(table, length, isRunning) {
  const isFinished = table.state !== "running";
  const end = isFinished ? (table.seconds ?? length) : length;
  const loadingFrom = table.history.find(({ serverState, state }) => state === "running" && !WAITING_STATES.test(serverState))?.from;
  const start = loadingFrom ?? (isFinished ? 0 : end);
  const bar = (kind, left, right) =>
    right > left && h("span", { key: kind, className: `mstr-bar mstr-bar-${kind}`, style: { left: `${(100 * left) / length}%`, width: `${(100 * (right - left)) / length}%` } });
  const kind = table.state === "failed" ? "failed" : isFinished ? "loaded" : isRunning ? "loading" : "unknown";
  return [bar("waiting", 0, start), bar(kind, start, end)];
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
