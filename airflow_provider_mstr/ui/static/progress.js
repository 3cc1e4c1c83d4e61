// SPDX-License-Identifier: Apache-2.0
// The progress of a refresh, from its task's log and XComs.

import { parseIdentity } from "./kinds.js";
import { toNumber, toObject, toObjects, toText, toTimestamp } from "./values.js";

/** @typedef {{id: string, name: string, policy: string, state: string, serverState: string, seconds: number | null,
 *   history: {state: string, serverState: string, from: number}[]}} TableProgress
 * `serverState` is the server's own word while the table runs. `history` holds the states of the table. All times are
 * seconds since the start of the load. */

/** @typedef {{identity: import("./kinds.js").Identity | null, areTablesConfirmed: boolean, seconds: number | null, tables: Record<string, any>[]}} Outcome */

/** @typedef {{tables: TableProgress[], startedAt: number | null, jobStatus: string, isBusy: boolean, busySince: number | null,
 *   unavailableSince: number | null, usualSeconds: number | null, endSeconds: number | null, identity: import("./kinds.js").Identity | null,
 *   outcome: Outcome | null, error: string, lastMessage: string, isReadable: boolean}} Progress
 * `startedAt`, `busySince` and `unavailableSince` are in milliseconds since the epoch. `jobStatus` is the server's own word;
 * "" if the load has no job. `isBusy` means that the refresh waits for another one. */

const OWN_LOGGERS = /airflow_provider_mstr/;
const END_STATES = ["finished", "failed"];
const HANDLE_FIELDS = ["kind", "data_model_id", "cube_id", "report_id", "project_id", "project", "name"];

/** Read the progress of one try.
 * @param {unknown[] | null} entries its log; null if it cannot be read
 * @param {unknown} [load] its XCom `mstr_load`, which Airflow deletes when the next try starts
 * @returns {Progress} */
export function readLog(entries, load = null) {
  const { tables, started_at: startedAt } = toObject(load);
  const progress = {
    tables: parseTables(tables),
    startedAt: secondsToTimestamp(startedAt),
    jobStatus: "",
    isBusy: false,
    busySince: null,
    unavailableSince: null,
    usualSeconds: null,
    endSeconds: null,
    identity: parseIdentity(load),
    outcome: null,
    error: "",
    lastMessage: "",
    isReadable: entries !== null,
  };
  const listed = [...progress.tables];
  for (const entry of toObjects(entries)) {
    const [error] = toObjects(entry.error_detail);
    if (error) progress.error = toText(error.exc_value) || toText(error.exc_type);
    if (OWN_LOGGERS.test(toText(entry.logger))) readEntry(progress, entry, listed);
  }
  return progress;
}

function readEntry(progress, entry, listed) {
  const time = toTimestamp(entry.timestamp);
  const state = toText(entry.state).toLowerCase();
  const seconds = toNumber(entry.seconds);
  if (toNumber(entry.usual_seconds) > 0) progress.usualSeconds = entry.usual_seconds;
  if (entry.server === "unavailable") progress.unavailableSince = toTimestamp(entry.since) ?? time;
  // A triggerer that replaces another one does not know that the server was unavailable.
  if (entry.server === "available" || state) progress.unavailableSince = null;
  if (typeof entry.busy === "boolean" || state) {
    progress.busySince = entry.busy === true ? (progress.busySince ?? time) : null;
    progress.isBusy = entry.busy === true;
  }
  if (!state) {
    progress.lastMessage = toText(entry.event) || progress.lastMessage;
    return;
  }
  if (time !== null && seconds !== null) progress.startedAt ??= toTimestamp(time - seconds * 1000);
  for (const table of findTables(progress, entry, listed)) setTableState(table, state, seconds);
  if (entry.refresh === "ended") progress.endSeconds = seconds;
  else if (!("table" in entry || "tables" in entry)) progress.jobStatus = state;
}

/** Return the tables of a log entry: the one that it names, or those at its positions in the load, such as "1-37,40". */
function findTables(progress, entry, listed) {
  const name = toText(entry.table);
  if (name) return [findOrAddTable(progress, { id: name, name, policy: "" })];
  return toText(entry.tables).split(",").flatMap((range) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range.trim()) ?? [];
    return first > 0 ? listed.slice(first - 1, last) : [];
  });
}

function findOrAddTable(progress, { id, name, policy }) {
  const { tables } = progress;
  // A table that only a log line names has its name in place of its id.
  const found = tables.find((table) => table.id === id) ?? tables.find((table) => (id === name ? table.name : table.id) === name);
  if (found) return found;
  const table = { id, name, policy, state: "running", serverState: "", seconds: null, history: [] };
  tables.push(table);
  return table;
}

function setTableState(table, word, seconds) {
  const isEnd = END_STATES.includes(word);
  table.state = isEnd ? word : "running";
  table.serverState = isEnd ? "" : word;
  table.seconds = isEnd ? seconds : null;
  table.history.push({ state: table.state, serverState: table.serverState, from: seconds ?? 0 });
}

/** Add the XCom `mstr_result`.
 * @param {Progress} progress
 * @param {unknown} result */
export function addResult(progress, result) {
  const outcome = parseOutcome(result);
  if (!outcome) return progress;
  progress.outcome = outcome;
  progress.endSeconds = outcome.seconds ?? progress.endSeconds;
  for (const each of outcome.tables) {
    const table = findOrAddTable(progress, each);
    table.state = each.state;
    table.seconds = each.seconds ?? (each.state === "finished" ? outcome.seconds : null);
  }
  return progress;
}

const secondsToTimestamp = (seconds) => (toNumber(seconds) ? toTimestamp(seconds * 1000) : null);

/** @returns {TableProgress[]} */
const parseTables = (tables) =>
  toObjects(tables)
    .map(({ id, name, policy, state, seconds }) => ({
      id: toText(id),
      name: toText(name) || toText(id),
      policy: toText(policy),
      state: END_STATES.includes(state) ? state : "running",
      serverState: "",
      seconds: toNumber(seconds),
      history: [],
    }))
    .filter(({ id }) => id);

/** Return the outcome of a refresh; null for anything without a list of tables.
 * @param {unknown} value
 * @returns {Outcome | null} */
export function parseOutcome(value) {
  const { tables, tables_confirmed, seconds } = toObject(value);
  if (!Array.isArray(tables)) return null;
  return {
    identity: parseIdentity(value),
    areTablesConfirmed: tables_confirmed !== false,
    seconds: toNumber(seconds),
    tables: parseTables(tables),
  };
}

/** Count the tables by state. @param {Progress} progress */
export function countTables({ tables }) {
  const count = (state) => tables.filter((table) => table.state === state).length;
  return { total: tables.length, finished: count("finished"), failed: count("failed"), running: count("running") };
}

/** Parse a handle, which Airflow renders as text and truncates if it is long.
 * @param {unknown} rendered */
export function parseHandle(rendered) {
  if (typeof rendered !== "string") return toObject(rendered);
  const field = (name) => new RegExp(`["']${name}["']: (["'])(.*?)\\1`).exec(rendered)?.[2];
  return Object.fromEntries(HANDLE_FIELDS.map((name) => [name, field(name)]).filter(([, value]) => value !== undefined));
}
