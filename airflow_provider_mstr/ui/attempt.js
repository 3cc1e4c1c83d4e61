// SPDX-License-Identifier: Apache-2.0
// One attempt of a refresh: how it stands, and each table as a bar on a common time axis.

import { now } from "./airflow.js";
import { Fragment, h, timeOf, useEffect, useState } from "./host.js";
import { Meter, Sign } from "./parts.js";
import { counts } from "./progress.js";
import { UNREADABLE } from "./standing.js";
import { count, firstSentence, span } from "./words.js";

const MOST_NAMES = 5;
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400];
const ENDED = { success: "finished", failed: "failed", upstream_failed: "failed", skipped: "skipped", removed: "skipped" };

export function Attempt({ number, state, start, end, progress, isLatest, isOnly }) {
  const standing = standingOf(state, progress);
  const title = `Attempt ${number}`;
  const body = h(
    Fragment,
    null,
    h(Summary, { ...standing, isLatest }),
    progress.error && standing.rank === "failing" && h("div", { className: "mstr-error", role: "note", "aria-label": "Error" }, progress.error),
    progress.tables.length > 0 && h(Timeline, { progress, isRunning: standing.isRunning, end }),
  );
  if (isOnly) return h("div", { className: "mstr-attempt" }, body);
  const heading = h(Fragment, null, h("strong", null, title), start && h("span", { className: "mstr-muted" }, ` from ${timeOf(start)}`));
  return isLatest
    ? h("section", { className: "mstr-attempt" }, h("h3", null, heading), body)
    : h(
        "details",
        { className: "mstr-attempt" },
        h("summary", null, heading, " ", h(Sign, { rank: standing.rank }, standing.word), " ", progress.error && firstSentence(progress.error)),
        body,
      );
}

/** How an attempt stands: a sign, a word and a sentence. */
function standingOf(state, progress) {
  const { tables, outcome, said } = progress;
  const { all, finished, running } = counts(progress);
  const ended = ENDED[state];
  if (ended === "finished") {
    const seconds = outcome && outcome.seconds !== null ? ` in ${span(outcome.seconds)}` : "";
    const unproven = outcome?.proven === false ? " The server has reported the end without saying so for each table." : "";
    return { rank: "fine", word: "Loaded", sentence: all ? `${count(all, "table")} loaded${seconds}.${unproven}` : "The data model is loaded." };
  }
  if (ended === "failed" || state === "up_for_retry") {
    const left = tables.filter((table) => table.state === "running").map(({ name }) => name);
    const waiting = all && left.length ? `${finished} of ${count(all, "table")} loaded; not seen loaded: ${listed(left)}. ` : "";
    const unsaid = state === "upstream_failed" ? "A step before this one failed; the tab of that task says why." : progress.isReadable ? "There is no error in its log: the attempt was marked as failed, or its worker was lost." : `Why is not known: ${UNREADABLE}.`;
    const retry = state === "up_for_retry" ? " The next attempt follows by itself." : "";
    return { rank: "failing", word: "Failed", sentence: `${waiting}${progress.error ? "" : unsaid}${retry}`.trim() };
  }
  if (ended === "skipped") return { rank: "never", word: "Skipped", sentence: "Nothing was loaded." };
  if (["queued", "scheduled"].includes(state)) return { rank: "never", word: "Waits to start", sentence: "The refresh has not begun." };
  const left = tables.filter((table) => table.state === "running").map(({ name }) => name);
  const sentence = all ? `${finished} of ${count(all, "table")} loaded. ${running ? `Still waiting for ${listed(left)}.` : "Waiting for the end of the publish."}` : said || "The refresh begins.";
  return { rank: "running", word: "Running", sentence, isRunning: true, all, finished };
}

const listed = (names) =>
  names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : "");

const Summary = ({ rank, word, sentence, isLatest, isRunning, all, finished }) =>
  h(
    "div",
    { className: "mstr-summary", "aria-live": isLatest ? "polite" : undefined },
    h(Sign, { rank }, word),
    sentence && h("span", null, sentence),
    isRunning && all > 0 && h(Meter, { done: finished, all, label: "Tables loaded" }),
  );

function Timeline({ progress, isRunning, end }) {
  const moment = useSeconds(isRunning);
  const { publishedAt, outcome, tables } = progress;
  const known = Math.max(outcome?.seconds ?? 0, ...tables.map(({ seconds, spans }) => seconds ?? spans.at(-1)?.from ?? 0));
  const until = isRunning ? moment : end;
  const passed = publishedAt && until && !outcome ? (until - publishedAt) / 1000 : 0;
  const whole = Math.max(known, passed, 1);
  return h(
    "table",
    { className: "mstr-tables" },
    h("caption", { className: "mstr-unseen" }, "Tables of the refresh, in seconds since the publish was sent"),
    h(
      "thead",
      null,
      h("tr", null, ["Table", "Policy", "State", "Time"].map((title) => h("th", { key: title, scope: "col" }, title)), h("th", { scope: "col", className: "mstr-axis" }, h(Axis, { whole }))),
    ),
    h("tbody", null, tables.map((table) => h(TableRow, { key: table.id, table, whole, isRunning, isSeen: !outcome || table.seconds !== null }))),
  );
}

function Axis({ whole }) {
  const step = TICKS.find((each) => whole / each <= 5) ?? 86400 * Math.ceil(whole / 432000);
  const ticks = Array.from({ length: Math.floor(whole / step) + 1 }, (_, index) => index * step);
  return h(
    "span",
    { className: "mstr-ticks" },
    h("span", { className: "mstr-unseen" }, "Time axis"),
    // A label too near the right end would not fit.
    ticks.filter((each) => each / whole < 0.93).map((each) => h("span", { key: each, "aria-hidden": true, style: { left: `${(100 * each) / whole}%` } }, each ? span(each) : "0")),
  );
}

const WORDS = {
  finished: ["fine", "Loaded"],
  failed: ["failing", "Failed"],
};

function TableRow({ table, whole, isRunning }) {
  const isWaiting = !table.word || /^(reserved|pending|queued|waiting)/i.test(table.word);
  const unfinished = isRunning ? [isWaiting ? "never" : "running", isWaiting ? "Waiting" : "Loading"] : ["never", "Not seen loaded"];
  const [rank, word] = WORDS[table.state] ?? unfinished;
  const done = table.state !== "running";
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, table.name),
    h("td", null, table.policy),
    h("td", { title: table.word || undefined }, h(Sign, { rank }, word)),
    h("td", { className: "mstr-number" }, done && table.seconds !== null ? span(table.seconds) : "–"),
    h("td", { className: "mstr-track", "aria-hidden": true }, bars(table, whole, isRunning)),
  );
}

/** The bars of a table: what it waited, and what it took, up to now where it goes on. */
function bars(table, whole, isRunning) {
  const done = table.state !== "running";
  const last = done ? (table.seconds ?? whole) : whole;
  const loading = table.spans.find(({ word, state }) => state === "running" && !/^(reserved|pending|queued|waiting)/i.test(word))?.from;
  const from = loading ?? (done ? 0 : last);
  const bar = (kind, left, right) =>
    right > left && h("span", { key: kind, className: `mstr-bar mstr-bar-${kind}`, style: { left: `${(100 * left) / whole}%`, width: `${(100 * (right - left)) / whole}%` } });
  const kind = table.state === "failed" ? "failed" : done ? "done" : isRunning ? "going" : "lost";
  return [bar("waiting", 0, from), bar(kind, from, last)];
}

/** The time by Airflow's clock, each second anew where something runs. */
function useSeconds(isRunning) {
  const [moment, setMoment] = useState(now());
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(() => setMoment(now()), 1000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return moment;
}
