// SPDX-License-Identifier: Apache-2.0
// Runs the views without a browser. Each line of stdin is a call in JSON, each line of stdout its result.

import { createInterface } from "node:readline";
import * as api from "./airflow_api.js";
import { firstSentence, formatAge, formatDuration, formatError, median, pluralize } from "./format.js";
import { parseIdentity } from "./kinds.js";
import { addResult, countTables, parseHandle, parseOutcome, readLog } from "./progress.js";
import { groupByObject, matchesFilter, objectTitle, parseRun, selectUnidentified, sortByUrgency, summarizeObject, taskLabel } from "./status.js";
import { parseDag } from "./schedule.js";
import { toWebUrl } from "./values.js";

// The components need React's element factory and the initial values of its hooks.
globalThis.React = {
  createElement: (type, props, ...children) => ({ type, props: { ...props, children: props?.children ?? children } }),
  Fragment: ({ children }) => children,
  useState: (value) => [value, () => {}],
  useMemo: (compute) => compute(),
  useEffect: () => {},
};
globalThis.document = { baseURI: "http://airflow.example.com/" };
const { Attempt } = await import("./attempt.js");
const { Chart } = await import("./components.js");
const { LastRuns, selectRuns, selectSameObject, usualDuration } = await import("./history.js");
const { Body, Footer } = await import("./page.js");

const NOW = Date.parse("2026-01-02T00:00:00Z");
const { Explanation, Row, sortSummaries } = await import("./page.js");

/** The text of each leaf of a React element, in order. */
function texts(element) {
  if (Array.isArray(element)) return element.flatMap(texts);
  if (typeof element === "string" || typeof element === "number") return element === "" ? [] : [String(element)];
  if (!element) return [];
  const { type, props } = element;
  if (typeof type === "function") return texts(type(props));
  return [...(props["aria-label"] ? [`(${props["aria-label"]})`] : []), ...texts(props.children)];
}

/** The elements with a class, as their style. */
function styles(element, className) {
  if (Array.isArray(element)) return element.flatMap((each) => styles(each, className));
  if (!element?.type) return [];
  const { type, props } = element;
  if (typeof type === "function") return styles(type(props), className);
  const own = props.className?.split(" ").includes(className) ? [{ className: props.className, ...props.style }] : [];
  return [...own, ...styles(props.children, className)];
}

/** Group task instances. One may have a field "result": what its load or result contains, if it was read; and "conn", if that was read. */
function group(instances) {
  const runs = new Map(instances.map((each) => [parseRun(each), withConn(parseIdentity(each?.result), each?.conn)]).filter(([run]) => run));
  return groupByObject(runs.keys(), new Map([...runs].filter(([, identity]) => identity).map(([{ key }, identity]) => [key, identity])));
}

const withConn = (identity, conn) => identity && (conn ? { ...identity, conn } : identity);

const summarize = (instances, { dags = [], error, progress } = {}, now = NOW) =>
  sortByUrgency(
    group(instances).map((object) =>
      summarizeObject(object, now, { dags: new Map(dags.map(parseDag)), getError: () => error, getProgress: ({ tiKey }) => progress?.[tiKey.taskId] }),
    ),
  );

const progress = (entries, load = null, result = null) => addResult(readLog(entries, load), result);

const attempt = (state, log, load, result, usual = null) => ({ number: 1, state, start: null, end: null, progress: progress(log, load, result), usual, isLatest: true, isOnly: true });

/** Return what a function returns at NOW. */
function atNow(action) {
  const systemTime = Date.now;
  const offset = api.now() - systemTime();
  Date.now = () => NOW - Math.round(offset / 1000) * 1000;
  try {
    return action();
  } finally {
    Date.now = systemTime;
  }
}

/** The destinations of all links of a React element. */
function links(element) {
  if (Array.isArray(element)) return element.flatMap(links);
  if (!element?.type) return [];
  const { type, props } = element;
  if (typeof type === "function") return links(type(props));
  return [...(props.href ? [props.href] : []), ...links(props.children)];
}

const lastRuns = (instances, tiKey, object) => selectSameObject(selectRuns(instances, tiKey), object);

/** Call a function of the API client at NOW. Each of its requests gets the same response, or none. */
async function request(name, args, { status, body, aheadSeconds }) {
  const urls = [];
  const systemTime = Date.now;
  Date.now = () => NOW;
  globalThis.fetch = async (url) => {
    urls.push(String(url));
    if (!status) throw new TypeError("fetch failed");
    const date = new Date(NOW + aheadSeconds * 1000);
    return new Response(body, { status, headers: aheadSeconds ? { Date: date.toUTCString() } : {} });
  };
  try {
    const value = await api[name](...args);
    return { value: value instanceof Set ? [...value] : value, urls, aheadSeconds: (api.now() - NOW) / 1000 };
  } catch (error) {
    return { status: error.status, urls };
  } finally {
    Date.now = systemTime;
  }
}

const CALLS = {
  request,
  /** What the page shows of each object. */
  rows: (instances, details) =>
    summarize(instances, details).map(({ object, status, statuses, reason, activity, slowness, nextRun, latest, failure, lastSeconds, medianSeconds, successCount, finished }) => {
      const { kind, id, name, project, conn, runs } = object;
      const tasks = runs.map((run) => [run.dag, taskLabel(run), api.dagLink(run.tiKey.dagId), api.taskInstanceLink(run.tiKey)]);
      return { status, statuses, title: objectTitle(object), kind, id, name, project, conn, reason, activity: activity?.text ?? "", slowness, nextRun, tasks, link: api.taskInstanceLink(latest.tiKey), failedTask: failure?.tiKey.taskId ?? null, lastSeconds, medianSeconds, successCount, finishedCount: finished.length };
    }),
  sortedTitles: (instances, order, details) => sortSummaries(summarize(instances, details), order).map(({ object }) => objectTitle(object)),
  rowTexts: (instances, details) => texts({ type: Row, props: { summary: summarize(instances, details)[0] } }),
  explanationTexts: (instances, details) => texts({ type: Explanation, props: summarize(instances, details)[0] }),
  /** What the tab reads of an attempt. */
  progress: (...logAndXComs) => {
    const value = progress(...logAndXComs);
    return { ...value, counts: countTables(value), sentence: firstSentence(value.error) };
  },
  attemptTexts: (...args) => atNow(() => texts({ type: Attempt, props: attempt(...args) })),
  attemptBars: (...args) => styles({ type: Attempt, props: attempt(...args) }, "mstr-bar"),
  lastRuns: (...args) => lastRuns(...args).map(({ tiKey }) => tiKey.runId),
  lastRunsTexts: (runs, usual) => texts({ type: LastRuns, props: { runs: runs.map(parseRun), runId: "run-1", usual } }),
  lastRunsLinks: (runs) => links({ type: LastRuns, props: { runs: runs.map(parseRun), runId: "run-1", usual: null } }),
  usualDuration: (instances, ...args) => usualDuration(instances.map(parseRun), ...args),
  chartTexts: (instances) => texts({ type: Chart, props: summarize(instances)[0] }),
  bodyTexts: (props) => texts({ type: Body, props: { shown: [], summaries: [], isLoading: false, error: null, isFiltered: false, ...props } }),
  footerTexts: (props) => texts({ type: Footer, props }),
  filter: (instances, filter) => group(instances).filter((object) => matchesFilter(object, filter)).map(objectTitle),
  /** The tasks whose results the page reads. */
  unidentified: (instances) => selectUnidentified(group(instances)).map(({ tiKey }) => `${tiKey.taskId} ${tiKey.runId}`),
  advice: (status) => new api.ApiError(status).advice,
  parseRun, parseHandle, parseOutcome, toWebUrl, median, formatDuration, formatAge, pluralize, firstSentence, formatError,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await CALLS[call](...args) };
  } catch (error) {
    answer = { error: String(error.stack) };
  }
  console.log(JSON.stringify(answer));
}
